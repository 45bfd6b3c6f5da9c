import CountStore
import Locks

extension Answer {
  /// The body of a probe that found all well.
  static func status(_ word: String) -> Answer {
    var json = JSONWriter()
    json.object { json in
      json.name("status")
      json.string(word)
    }
    return Answer(body: json.bytes, isRevalidated: false)
  }
}

/// `/readyz`: questions can be answered, as far as is known.
///
/// It waits for no worker, so that a server full of slow questions is not taken for one that cannot answer any. One look is
/// taken at a time, and what it finds is the answer to all who have asked by then. Nothing that the look waits for holds an
/// answer up: after `limit` it is that PostgreSQL does not answer, and that stays the answer until the look has ended.
final class ReadinessEndpoint: Sendable {
  typealias After = TopItemsAPI.Timer

  /// Orchestrators ask with a time limit of seconds.
  static let limit = Duration.milliseconds(1500)

  private struct State {
    var waiting: [Answer.Deliver] = []
    /// The look that is being taken, by its number.
    var look: UInt64?
    /// Whether it has taken longer than it may.
    var isLate = false
    var looks: UInt64 = 0
  }

  private let ask: Backend.Probe
  private let after: After
  private let observe: Observe
  private let state = Lock(State())

  init(ask: @escaping Backend.Probe, after: @escaping After, observe: @escaping Observe) {
    self.ask = ask
    self.after = after
    self.observe = observe
  }

  private enum Step: Sendable {
    case look(UInt64)
    case wait
    case fail
  }

  func answer() -> Answer.Outcome {
    .later { [self] deliver in
      let step = state.withLock { state -> Step in
        if state.isLate { return .fail }
        state.waiting.append(deliver)
        guard state.look == nil else { return .wait }
        state.looks += 1
        state.look = state.looks
        return .look(state.looks)
      }
      switch step {
      case .wait: break
      case .fail: deliver(.failure(.databaseAway))
      case .look(let number):
        after(Self.limit) { [self] in giveUp(number) }
        ask { [self] found in finish(number, found) }
      }
    }
  }

  private func finish(_ number: UInt64, _ found: Result<Readiness, CountStoreError>) {
    let outcome = outcome(found)
    let told = state.withLock { state in
      guard state.look == number else { return [Answer.Deliver]() }
      defer {
        state.waiting = []
        state.look = nil
        state.isLate = false
      }
      return state.waiting
    }
    for deliver in told { deliver(outcome) }
  }

  private func giveUp(_ number: UInt64) {
    let told = state.withLock { state in
      guard state.look == number else { return [Answer.Deliver]() }
      defer { state.waiting = [] }
      state.isLate = true
      return state.waiting
    }
    for deliver in told { deliver(.failure(.databaseAway)) }
  }

  private func outcome(_ found: Result<Readiness, CountStoreError>) -> Result<Answer, APIError> {
    switch found {
    case .success(.ready): return .success(.status("ready"))
    case .success(.migrationsPending(let names)): return .failure(.migrationsPending(names))
    case .failure(let error):
      observe(.readinessFailed(error))
      return .failure(APIError(error))
    }
  }
}
