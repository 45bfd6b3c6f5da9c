import Foundation
import Glibc

/// A steady stream of simulated events, from a process of its own.
struct OtherEvents {
  private let process: Process?

  /// The process that sends, reported with what it costs.
  var parts: [(String, Int32)] { process.map { [("simulator", $0.processIdentifier)] } ?? [] }

  /// Begins to send; returns when the stream has been flowing for a while.
  init(rate: Int, topitems: String, brokers: String, topic: String) throws {
    guard rate > 0 else {
      process = nil
      return
    }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: topitems)
    process.arguments = [
      "simulate", "--brokers", brokers, "--topics", topic, "--rate", "\(rate)", "--locations", "1000",
      "--duplicates", "0", "--kafka", "linger.ms=\(BenchTarget.backgroundLinger)",
    ]
    process.standardInput = FileHandle.nullDevice
    process.standardError = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    try process.run()
    self.process = process
    usleep(3_000_000)
  }

  /// Ends the stream.
  func stop() {
    guard let process else { return }
    process.terminate()
    process.waitUntilExit()
  }
}
