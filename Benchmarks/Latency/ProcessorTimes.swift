import ArgumentParser
import Foundation
import Glibc

/// The processor time of the parts of a measurement, in seconds, children included: those that still run, and those
/// that have ended and were waited for (proc_pid_stat(5)).
struct ProcessorTimes {
  private let parts: [(name: String, pid: Int32)]
  private let start: ContinuousClock.Instant
  private let before: [Double]

  /// Begins to count.
  ///
  /// - Parameters:
  ///   - parts: each `name=id`.
  ///   - more: further ones; this process is reported as `bench` in any case.
  init(_ parts: [String], and more: [(String, Int32)]) throws {
    let named = try parts.map { part in
      let halves = part.split(separator: "=")
      guard halves.count == 2, let pid = Int32(halves[1]) else {
        throw ValidationError("--part must be a name and a process's id, like worker=4711")
      }
      return (name: String(halves[0]), pid: pid)
    }
    self.parts = named + more.map { (name: $0.0, pid: $0.1) } + [(name: "bench", pid: getpid())]
    start = .now
    before = Self.seconds(of: self.parts)
  }

  /// What was spent since.
  func spent() -> ProcessorSeconds {
    let now = Self.seconds(of: parts)
    var spent: [ProcessorSeconds.Part] = []
    for (index, part) in parts.enumerated() {
      spent.append(.init(name: part.name, seconds: max(0, now[index] - before[index])))
    }
    return ProcessorSeconds(wall: start.duration(to: .now) / .seconds(1), parts: spent)
  }

  private static func seconds(of parts: [(name: String, pid: Int32)]) -> [Double] {
    let all = everything()
    return parts.map { part in
      guard let own = all[part.pid] else { return 0 }
      // A part's own producers are reported separately.
      let children = part.pid == getpid() ? [] : all.values.filter { $0.parent == part.pid }
      let ticks = children.reduce(own.ticks + (part.pid == getpid() ? 0 : own.ofChildren)) {
        $0 + $1.ticks + $1.ofChildren
      }
      return Double(ticks) / Double(max(1, sysconf(Int32(_SC_CLK_TCK))))
    }
  }

  private struct Ticks {
    var parent: Int32
    var ticks: Int
    var ofChildren: Int
  }

  private static func everything() -> [Int32: Ticks] {
    var all: [Int32: Ticks] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
      guard let pid = Int32(name), let data = FileManager.default.contents(atPath: "/proc/\(pid)/stat") else {
        continue
      }
      let text = String(decoding: data, as: UTF8.self)
      // The command's name may hold blanks and parentheses.
      guard let end = text.lastIndex(of: ")") else { continue }
      let fields = text[text.index(after: end)...].split(separator: " ").map { Int($0) ?? 0 }
      guard fields.count > 14 else { continue }
      all[pid] = Ticks(
        parent: Int32(clamping: fields[1]),
        ticks: fields[11] + fields[12],
        ofChildren: fields[13] + fields[14]
      )
    }
    return all
  }
}

/// What a measurement cost.
struct ProcessorSeconds: Encodable {
  struct Part: Encodable {
    var name: String
    var seconds: Double
  }

  /// How long it took.
  var wall: Double
  var parts: [Part]

  var row: String {
    let list = parts.map { "\($0.name) \(String(format: "%.1f", $0.seconds))" }.joined(separator: ", ")
    return "          CPU seconds in \(String(format: "%.1f", wall)) s: \(list)"
  }
}
