public import CountStore
public import Counting
import Threading

/// The last reading of the workers' state, and the freshness that follows from it.
///
/// The freshness is computed when a reading arrives, every two seconds, and not for each response: so cached and new
/// responses say the same, and a change of the freshness invalidates like any other change.
public final class FreshnessCache: Sendable {
  /// How long a reading is believed.
  static let trust = Duration.seconds(15)

  private struct State {
    var reading: WorkerReading?
    var readAt = ContinuousClock.now
    var label: FreshnessLabel?
  }

  private let state = Lock(State())

  init() {}

  /// Takes event.
  /// - Returns: whether the state has changed.
  func record(_ event: RevisionEvent, at now: ContinuousClock.Instant) -> Bool {
    switch event {
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
    case .attached, .changed: false
    }
  }

  /// What answers say; nil while it is not known.
  var label: FreshnessLabel? { state.withLock { $0.label } }

  /// The last reading, and what the database's clock shows now; nil where it is too old, or there was none.
  public func reading(at now: ContinuousClock.Instant = .now) -> (reading: WorkerReading, now: Timestamp)? {
    state.withLock { state in
      let age = now - state.readAt
      guard let reading = state.reading, age <= Self.trust else { return nil }
      let passed = Int64(age / .microseconds(1))
      return (reading, Timestamp(microseconds: reading.now.microseconds &+ max(0, passed)))
    }
  }
}
