import HTTP
import Threading

/// A response that a worker makes at once.
final class BlockingResponse: PendingResponse {
  private struct State: Sendable {
    var step: ResponseStep?
    var hasStarted = false
    var isAwaited = false
    var isCancelled = false
  }

  let isEndless = false
  let isCut = false
  private let work: @Sendable () -> Response
  private let update: ResponseUpdate
  private let pool: WorkerPool
  private let state = Lock(State())
  private let ticket = Lock<JobQueue.Ticket?>(nil)

  init(_ work: @escaping @Sendable () -> Response, _ settings: ServerSettings, update: ResponseUpdate) {
    self.work = work
    self.update = update
    pool = settings.workers
  }

  /// Waits for a worker; false if too many do already.
  func submit(for network: ClientNetwork) -> Bool {
    let ticket = pool.submit(of: network, drop: { [self] in deliver(.refused(.tooManyWait)) }) { [self] in
      run()
    }
    self.ticket.withLock { $0 = ticket }
    return ticket != nil
  }

  /// Runs on a worker; not for a client that has gone.
  private func run() {
    let isWanted = state.withLock { state in
      state.hasStarted = true
      return !state.isCancelled
    }
    if isWanted { deliver(.whole(work())) }
  }

  private func deliver(_ step: ResponseStep) {
    let isAwaited = state.withLock { state in
      state.step = step
      return state.isAwaited
    }
    if isAwaited { update.post() }
  }

  var isQueued: Bool { state.withLock { !$0.hasStarted && $0.step == nil } }

  func next(atMost limit: Int) -> ResponseStep {
    state.withLock { state in
      guard let step = state.step else {
        state.isAwaited = true
        return .later
      }
      state.step = nil
      return step
    }
  }

  func cancel() {
    state.withLock { $0.isCancelled = true }
    if let ticket = ticket.withLock({ $0 }) { pool.remove(ticket) }
  }

  func finish() {}
}
