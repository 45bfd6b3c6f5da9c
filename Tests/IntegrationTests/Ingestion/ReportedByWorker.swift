import CountStore
import Ingestion
import Kafka
import Threading

/// A worker's observations, with their times.
final class ReportedByWorker: Sendable {
  private struct State {
    var values: [(time: Duration, observation: IngestionObservation)] = []
    /// The last lines of librdkafka's debug log.
    var groupLog: [String] = []
    var steps = 0
    var lastStep = "nothing"
  }

  private let start = ContinuousClock.now
  private let state = Lock(State())

  func append(_ observation: IngestionObservation) {
    let time = ContinuousClock.now - start
    state.withLock { state in
      if case .kafka(.log(let level, let facility, let text)) = observation, level > 4 {
        if state.groupLog.count == 60 { state.groupLog.removeFirst(20) }
        state.groupLog.append("\(Self.milliseconds(time)) ms: \(facility) \(text.prefix(250))")
        return
      }
      state.values.append((time, observation))
      if Self.isStep(observation) {
        state.steps += 1
        state.lastStep = String((Self.line(observation) ?? "").prefix(150))
      }
    }
  }

  var all: [IngestionObservation] { state.withLock { $0.values.map(\.observation) } }

  /// How far it has got: what changes with each step on its way, but not while it only tries again.
  var progress: String { state.withLock { "step \($0.steps): \($0.lastStep)" } }

  /// The last of them, without the many lines that say that all is well: to find out what went wrong.
  var story: String {
    let (values, groupLog) = state.withLock { ($0.values, $0.groupLog) }
    let lines = values.compactMap { time, observation in
      Self.line(observation).map { "\(Self.milliseconds(time)) ms: \($0)" }
    }
    let turn = values.last { if case .turned = $0.observation { true } else { false } }
    return "; until now, \(Self.milliseconds(.now - start)) ms, it reported:\n"
      + lines.suffix(40).map { String($0.prefix(250)) }.joined(separator: "\n")
      + (turn.map { "\nat last, \(Self.milliseconds($0.time)) ms: \($0.observation)" } ?? "")
      + (groupLog.isEmpty
        ? "" : "\nits group, by librdkafka:\n" + groupLog.suffix(40).joined(separator: "\n"))
  }

  private static func milliseconds(_ time: Duration) -> Int { Int(time / .milliseconds(1)) }

  private static func isStep(_ observation: IngestionObservation) -> Bool {
    switch observation {
    case .turned, .heartbeat, .heartbeatFailed, .backgroundSucceeded, .retrying, .maintained,
      .maintenanceFailed,
      .brokerError, .kafka, .clock:
      false
    default: true
    }
  }

  private static func line(_ observation: IngestionObservation) -> String? {
    switch observation {
    case .turned, .heartbeat, .backgroundSucceeded: nil
    case .committed(let report):
      "committed " + report.parts.map { "[\($0.partition)] \($0.base)..<\($0.next)" }.joined(separator: " ")
    case .kafka(.log(let level, _, let text)): level <= 4 ? "log \(text)" : nil
    default: "\(observation)"
    }
  }
}

extension Configuration {
  /// Makes librdkafka log what happens to the group, for the story of a worker that waits for it in vain.
  mutating func tellOfTheGroup() { self["debug"] = "cgrp" }
}
