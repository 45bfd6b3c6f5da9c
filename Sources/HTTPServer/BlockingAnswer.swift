import HTTP
import Locks

/// An answer that a worker makes at once.
final class BlockingAnswer: PendingAnswer {
  private struct State: Sendable {
    var response: Response?
    var isAwaited = false
    var isCancelled = false
  }

  let isEndless = false
  private let work: @Sendable () -> Response
  private let news: AnswerNews
  private let state = Lock(State())

  init(_ work: @escaping @Sendable () -> Response, news: AnswerNews) {
    self.work = work
    self.news = news
  }

  /// Runs on a worker; not for a client that has gone.
  func run() {
    guard !state.withLock({ $0.isCancelled }) else { return }
    let response = work()
    let isAwaited = state.withLock { state in
      state.response = response
      return state.isAwaited
    }
    if isAwaited { news.post() }
  }

  func next() -> AnswerStep {
    state.withLock { state in
      guard let response = state.response else {
        state.isAwaited = true
        return .later
      }
      state.response = nil
      return .whole(response)
    }
  }

  func cancel() { state.withLock { $0.isCancelled = true } }
  func finish() {}
}
