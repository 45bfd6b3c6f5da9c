public import CountStore
public import Counting
import Locks

/// What this server knows of the workers, as it was told last, and the state that follows from it.
///
/// The state is looked at when there is news, every two seconds, and not when an answer is made: so answers that are kept
/// say the same as those that are made, and a change of the state is a change like any other.
public final class KnownFreshness: Sendable {
  /// How long a reading is believed.
  static let trust = Duration.seconds(15)

  private struct State {
    var reading: WorkerReading?
    var readAt = ContinuousClock.now
    var label: FreshnessLabel?
  }

  private let state = Lock(State())

  init() {}

  /// Takes news.
  /// - Returns: whether the state has changed.
  func note(_ news: RevisionNews, at now: ContinuousClock.Instant) -> Bool {
    switch news {
    case .workers(let reading):
      state.withLock { state in
        state.reading = reading
        state.readAt = now
        let label = reading.map { $0.freshness(at: $0.now).label }
        defer { state.label = label }
        return state.label != label
      }
    case .detached:
      state.withLock { state in
        defer { state = State() }
        return state.label != nil
      }
    case .attached, .heard: false
    }
  }

  /// What answers say; nil while it is not known.
  var label: FreshnessLabel? { state.withLock { $0.label } }

  /// What was told last, and what the database's clock shows now; nil where that is too old, or was not told.
  public func reading(at now: ContinuousClock.Instant = .now) -> (reading: WorkerReading, now: Timestamp)? {
    state.withLock { state in
      let age = now - state.readAt
      guard let reading = state.reading, age <= Self.trust else { return nil }
      let passed = Int64(age / .microseconds(1))
      return (reading, Timestamp(microseconds: reading.now.microseconds &+ max(0, passed)))
    }
  }
}
