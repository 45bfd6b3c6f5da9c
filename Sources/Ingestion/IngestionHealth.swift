import CountStore

/// Whether a worker does what it is there for: it may be idle, it may wait for PostgreSQL for a while, but messages must
/// not pile up before it without any being committed, and no partition may be stopped unseen.
public struct IngestionHealth: Sendable {
  /// How long messages may pile up without progress, in microseconds.
  public static let patience: Int64 = 60_000_000

  private var halted: [PartitionKey: String] = [:]
  private var lag: Int64 = 0
  private var progress: (at: Int64, lag: Int64)
  private var clock: String?

  /// - Parameter now: the monotonic clock, in microseconds.
  public init(now: Int64) {
    progress = (now, 0)
  }

  /// Takes note of what happened at `now`, on the monotonic clock in microseconds.
  public mutating func note(_ observation: IngestionObservation, now: Int64) {
    switch observation {
    case .committed: progress = (now, lag)
    case .lag(let lags):
      lag = lags.values.reduce(0, +)
      // Nothing to do is as good as progress.
      if lag == 0 { progress = (now, 0) }
    case .halted(let key, let reason): halted[key] = reason
    case .revoked(let keys, _): for key in keys { halted[key] = nil }
    case .clock(let check): clock = check.complaint
    default: break
    }
  }

  /// Why the worker is not ready; nil when it is. Counting may go on, but an operator has to see to something.
  public func unreadiness(now: Int64) -> String? { complaint(now: now) ?? clock }

  /// Why the worker is not healthy; nil when it is.
  public func complaint(now: Int64) -> String? {
    if let (key, reason) = halted.min(by: { $0.key < $1.key }) {
      return "\(key.topic)[\(key.partition)] is stopped: \(reason)"
    }
    let seconds = (now - progress.at) / 1_000_000
    if now - progress.at > Self.patience, lag > progress.lag {
      return "nothing was committed for \(seconds) s while the lag grew to \(lag) messages"
    }
    return nil
  }
}
