import CountStore
import Ingestion
import Kafka
import Locks

/// What a worker tells, and when.
final class ToldByWorker: Sendable {
  private let start = ContinuousClock.now
  private let values = Lock<[(time: Duration, observation: IngestionObservation)]>([])

  func append(_ observation: IngestionObservation) {
    values.withLock { $0.append((.now - start, observation)) }
  }

  var all: [IngestionObservation] { values.withLock { $0.map(\.observation) } }

  /// The last of it, without the many lines that say that all is well: for whoever has to find out what went wrong.
  var story: String {
    let lines = values.withLock { $0 }.compactMap { time, observation in
      line(observation).map { "\(Int(time / .milliseconds(1))) ms: \($0)" }
    }
    let now = Int((ContinuousClock.now - start) / .milliseconds(1))
    return "; until now, \(now) ms, it told:\n"
      + lines.suffix(40).map { String($0.prefix(250)) }.joined(separator: "\n")
  }

  private func line(_ observation: IngestionObservation) -> String? {
    switch observation {
    case .turned, .heartbeat, .backgroundSucceeded: nil
    case .committed(let report):
      "committed " + report.parts.map { "[\($0.partition)] \($0.base)..<\($0.next)" }.joined(separator: " ")
    case .kafka(.log(let level, _, let text)): level <= 4 ? "log \(text)" : nil
    default: "\(observation)"
    }
  }
}
