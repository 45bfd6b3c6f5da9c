import Foundation
import Glibc
import Sockets
import TestSupport
import Testing

/// `hello-server` in a process of its own, for what concerns a whole process.
struct ExampleServer {
  let process: ProcessRunner
  let address: SocketAddress

  /// - Parameter descriptors: how many the process may have open.
  init(descriptors: Int = 1024) throws {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let binary = URL(fileURLWithPath: tests).deletingLastPathComponent().appending(path: "hello-server").path
    let process = try ProcessRunner("/bin/sh", ["-c", "ulimit -n \(descriptors); exec \"$0\"", binary])
    self.process = process
    try process.waitUntil(within: .seconds(20), "it listens") { process.output.hasSuffix("\n") }
    let text = process.output.trimmingCharacters(in: .whitespacesAndNewlines)
    address = try #require(SocketAddress(text.replacing("http://", with: "")), "hello-server said: \(text)")
  }

  /// Seconds of CPU time that it has taken.
  func processorTime() throws -> Double {
    let text = try String(contentsOfFile: "/proc/\(process.pid)/stat", encoding: .utf8)
    // Behind the name in parentheses, which may hold anything: utime and stime are words 14 and 15 (proc(5)).
    let words = text[(text.lastIndex(of: ")") ?? text.startIndex)...].split(separator: " ")
    let ticks = [12, 13].reduce(0) { $0 + (Double(words[$1]) ?? 0) }
    return ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
  }

  /// Whether it does nothing for a moment: all that it can do now is done.
  func isResting() throws -> Bool {
    let before = try processorTime()
    usleep(50_000)
    return try processorTime() == before
  }

  /// Descriptors that it has open.
  func openDescriptors() throws -> Int {
    try FileManager.default.contentsOfDirectory(atPath: "/proc/\(process.pid)/fd").count
  }

  /// Kibibytes of memory that it has at most had since the last call, and has now.
  func memory() throws -> (peak: Int, now: Int) {
    defer {
      // Forgets the peak (proc(5)).
      try? "5".write(toFile: "/proc/\(process.pid)/clear_refs", atomically: false, encoding: .utf8)
    }
    return (process.kibibytes("VmHWM"), process.kibibytes("VmRSS"))
  }
}
