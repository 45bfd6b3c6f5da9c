import CountStore
import Threading

/// How the worker is, for its own heartbeat; fed by its observations, from any thread.
final class WorkerState: Sendable {
  private let health = Lock(IngestionHealth())

  func record(_ observation: IngestionObservation) {
    let now = ContinuousClock.now
    health.withLock { $0.record(observation, now: now) }
  }

  func heartbeat() -> WorkerHeartbeat { health.withLock { $0.heartbeat(at: .now) } }
}

extension WorkerTurn.Partition.ClaimState {
  init(_ standing: Assignment.ClaimState) {
    switch standing {
    case .unclaimed: self = .unclaimed
    case .reading: self = .reading
    case .fenced: self = .fenced
    case .halted(let reason): self = .halted(reason)
    }
  }
}
