import APICore
import CountStore
import HTTP
import JSONText
import Threading

extension EndpointResponse {
  /// The body of a probe that found all well.
  static func status(_ word: String) -> EndpointResponse {
    var json = JSONWriter()
    json.object { json in
      json.name("status")
      json.string(word)
    }
    return EndpointResponse(body: json.bytes, isRevalidated: false)
  }
}

/// `/readyz`: queries can be answered, as far as is known.
///
/// It does not wait for a worker thread, so that a server full of slow queries stays ready. One probe runs at a
/// time, and its result answers all requests that wait for it. A slow probe delays no response: after `limit` the
/// response says that PostgreSQL does not answer, until the probe has ended.
final class ReadinessEndpoint: Sendable {
  /// Has work done later, on any thread; the work does not wait.
  typealias After = @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

  /// Orchestrators ask with a time limit of seconds.
  static let limit = Duration.milliseconds(1500)

  private struct State {
    var waiting: [EndpointResponse.Deliver] = []
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

  func answer(_ context: RequestContext) -> Reply { context.later { [self] in subscribe($0) } }

  /// Calls `deliver` once, on any thread.
  func subscribe(_ deliver: @escaping EndpointResponse.Deliver) {
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

  private func finish(_ number: UInt64, _ found: Result<Readiness, CountStoreError>) {
    let outcome = outcome(found)
    let waiting = state.withLock { state in
      guard state.look == number else { return [EndpointResponse.Deliver]() }
      defer {
        state.waiting = []
        state.look = nil
        state.isLate = false
      }
      return state.waiting
    }
    for deliver in waiting { deliver(outcome) }
  }

  private func giveUp(_ number: UInt64) {
    let waiting = state.withLock { state in
      guard state.look == number else { return [EndpointResponse.Deliver]() }
      defer { state.waiting = [] }
      state.isLate = true
      return state.waiting
    }
    for deliver in waiting { deliver(.failure(.databaseAway)) }
  }

  private func outcome(_ found: Result<Readiness, CountStoreError>) -> Result<EndpointResponse, APIError> {
    switch found {
    case .success(.ready): return .success(.status("ready"))
    case .success(.migrationsPending(let names)): return .failure(.migrationsPending(names))
    case .failure(let error):
      observe(.readinessFailed(error))
      return .failure(APIError(error))
    }
  }
}
