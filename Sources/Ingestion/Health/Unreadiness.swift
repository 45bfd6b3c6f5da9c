public import CountStore

/// Why a worker is not ready, in words: one case for each reason.
public enum Unreadiness: Sendable, Equatable, CustomStringConvertible {
  /// The group has not assigned anything yet.
  case unassigned
  /// A broker does not know a topic; its words.
  case topicMissing(String)
  /// No broker answers, since so long.
  case brokerAway(Duration, String)
  /// What is asked of PostgreSQL fails, since so long.
  case databaseFailing(Duration, String)
  /// Partitions are assigned, and none could be claimed for so long.
  case claimless(Duration)
  /// Messages wait, and none was committed for so long.
  case notCommitting(Duration)
  /// A partition is stopped until an operator acts.
  case halted(PartitionKey, String)
  /// The database's clock is not agreed, or the deduplication floor lies ahead of it; in words.
  case clock(String)
  /// The process does not work any more: `/healthz` says so, too.
  case stalled(String)
  /// The worker ends.
  case stopping

  /// One line for an operator.
  public var description: String {
    switch self {
    case .unassigned: "the consumer group has not assigned partitions yet"
    case .topicMissing(let words): "a topic is not there: \(words)"
    case .brokerAway(let duration, let error):
      "no broker has answered for \(Self.seconds(duration))\(Self.because(error))"
    case .databaseFailing(let duration, let error):
      "PostgreSQL has not done what it was asked for \(Self.seconds(duration))\(Self.because(error))"
    case .claimless(let duration):
      "partitions are assigned, but none could be claimed for \(Self.seconds(duration))"
    case .notCommitting(let duration):
      "messages have waited for \(Self.seconds(duration)), and none was committed"
    case .halted(let key, let reason): "\(key.topic)[\(key.partition)] is stopped: \(reason)"
    case .clock(let complaint): complaint
    case .stalled(let reason): reason
    case .stopping: "the worker ends"
    }
  }

  private static func seconds(_ duration: Duration) -> String { "\(duration.components.seconds) s" }
  private static func because(_ error: String) -> String { error.isEmpty ? "" : ": \(error)" }
}

/// What a worker does beside counting, on threads of its own.
public enum BackgroundTask: String, Sendable, CaseIterable {
  /// Folds, drops and purges, or found another worker at it.
  case maintenance
  /// Releases quarantined events that are due.
  case release
  /// Writes the worker's row.
  case heartbeat
  /// Asks a broker for the logs' ends.
  case broker
}
