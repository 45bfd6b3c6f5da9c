import HTTP
import Locks

/// An answer that a worker makes in pieces. The worker waits when the loop, and so the client, does not keep up.
final class StreamingAnswer: PendingAnswer {
  /// Bytes that wait for the loop. A longer piece goes alone.
  static let capacity = 128 * 1024

  private struct State: Sendable {
    var steps: [AnswerStep] = []
    var first = 0
    var bytes = 0
    var hasBegun = false
    var isAwaited = false
    var isCancelled = false

    /// Adds a step; whether the loop waits for it.
    mutating func add(_ step: AnswerStep) -> Bool {
      steps.append(step)
      defer { isAwaited = false }
      return isAwaited
    }
  }

  let isEndless = false
  private let work: @Sendable (ResponseStream) throws(StreamBroken) -> Void
  private let news: AnswerNews
  private let state = Monitor(State())

  init(_ work: @escaping @Sendable (ResponseStream) throws(StreamBroken) -> Void, news: AnswerNews) {
    self.work = work
    self.news = news
  }

  /// Runs on a worker; not for a client that has gone.
  func run() {
    guard !state.change({ $0.isCancelled }) else { return }
    var isWhole = true
    do throws(StreamBroken) {
      try work(ResponseStream { [self] (part) throws(StreamBroken) in try send(part) })
    } catch {
      isWhole = false
    }
    let isAwaited = state.change { state in state.add(state.hasBegun && isWhole ? .end : .broken) }
    if isAwaited { news.post() }
  }

  func next() -> AnswerStep {
    state.change { state in
      guard state.first < state.steps.count else {
        state.isAwaited = true
        return .later
      }
      let step = state.steps[state.first]
      state.first += 1
      if state.first == state.steps.count {
        state.steps.removeAll(keepingCapacity: true)
        state.first = 0
      }
      if case .piece(let piece) = step { state.bytes -= piece.count }
      return step
    }
  }

  func cancel() {
    state.change { state in
      state.isCancelled = true
      state.steps = []
      state.first = 0
    }
  }

  func finish() {}

  private func send(_ part: ResponseStream.Part) throws(StreamBroken) {
    let step: AnswerStep
    let size: Int
    switch part {
    case .head(let response): (step, size) = (.head(response, heartbeat: nil), 0)
    case .piece(let piece): (step, size) = (.piece(piece), piece.count)
    }
    let isAwaited: Bool? = state.wait { state -> Bool?? in
      if state.isCancelled { return .some(nil) }
      guard state.bytes == 0 || state.bytes + size <= StreamingAnswer.capacity else { return nil }
      precondition(state.hasBegun == (size > 0), "a stream begins once, before its first piece")
      state.hasBegun = true
      state.bytes += size
      return state.add(step)
    }
    guard let isAwaited else { throw .clientGone }
    if isAwaited { news.post() }
  }
}
