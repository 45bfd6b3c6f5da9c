import Foundation
import Glibc

/// What explains a missed deadline: how busy the machine is and with what, which threads of this process take its time,
/// and whether the broker that all tests share answers.
public enum MachineState {
  /// Several lines; measures for 300 ms which threads use the processors.
  public static func now() -> String {
    let (threadsBefore, processesBefore) = (times(in: "/proc/self/task"), times(in: "/proc"))
    usleep(300_000)
    let (threads, processes) = (times(in: "/proc/self/task"), times(in: "/proc"))
    let pressure = read("/proc/pressure/cpu").split(separator: "\n").first.map { ", pressure \($0)" } ?? ""
    let load = read("/proc/loadavg").split(separator: " ").prefix(3).joined(separator: " ")
    let busiest = top(processes, processesBefore) { id, time in "\(time.name) (\(id))" }
    let ours = top(threads, threadsBefore) { id, time in
      "\(time.name) (\(id), \(time.state), in \(read("/proc/self/task/\(id)/wchan")))"
    }
    var lines = [
      "  machine: load \(load)\(pressure)",
      "  busiest processes, in 0.3 s: \(busiest)",
      "  this process: \(threads.count) threads, \(openDescriptors) descriptors; busiest threads, in 0.3 s: \(ours)",
    ]
    if let broker = Broker.sharedState() { lines.append("  shared broker: \(broker)") }
    return lines.joined(separator: "\n")
  }

  /// A process's state by its id: its letter as in `ps`, its processor time, its threads and where it waits.
  static func process(_ pid: Int32) -> String {
    guard let before = time("/proc/\(pid)/stat") else { return "process \(pid) is gone" }
    usleep(200_000)
    let after = time("/proc/\(pid)/stat") ?? before
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/task").count) ?? 0
    return
      "process \(pid) \(after.state), \(after.ticks - before.ticks) of 20 ticks, \(seconds(after.ticks)) s in all, "
      + "\(threads) threads, in \(read("/proc/\(pid)/wchan"))"
  }

  private struct Time {
    var name: String
    var state: String
    /// User and system time.
    var ticks: Int
  }

  private static var openDescriptors: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd").count) ?? 0
  }

  private static func times(in folder: String) -> [Int: Time] {
    var times: [Int: Time] = [:]
    for name in (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? [] {
      if let id = Int(name) { times[id] = time("\(folder)/\(name)/stat") }
    }
    return times
  }

  private static func top(
    _ now: [Int: Time],
    _ before: [Int: Time],
    _ describe: (Int, Time) -> String
  ) -> String {
    let spent = now.map { id, time in (id: id, ticks: time.ticks - (before[id]?.ticks ?? 0), time: time) }
    let busiest = spent.filter { $0.ticks > 0 }.sorted { $0.ticks > $1.ticks }.prefix(5)
    guard !busiest.isEmpty else { return "none" }
    return busiest.map { "\(describe($0.id, $0.time)) \($0.ticks) of 30 ticks" }.joined(separator: ", ")
  }

  /// From a stat file (proc_pid_stat(5)): the name stands in parentheses and may hold any character.
  private static func time(_ path: String) -> Time? {
    let text = read(path)
    guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")") else { return nil }
    let fields = text[text.index(after: close)...].split(separator: " ")
    guard fields.count > 12, let user = Int(fields[11]), let system = Int(fields[12]) else { return nil }
    return Time(
      name: String(text[text.index(after: open)..<close]),
      state: String(fields[0]),
      ticks: user + system
    )
  }

  private static func seconds(_ ticks: Int) -> Int { ticks / max(1, sysconf(Int32(_SC_CLK_TCK))) }

  private static func read(_ path: String) -> String {
    String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }
}
