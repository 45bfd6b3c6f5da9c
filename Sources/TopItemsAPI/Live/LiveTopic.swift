import HTTP

/// One question whose answer is pushed to everybody who follows it.
final class LiveTopic {
  /// Who follows.
  struct Follower {
    let channel: PushChannel
    /// What it has seen before it was cut off.
    let lastEventID: Int64?
    let problem: @Sendable (APIError) -> Response
    let head: Response
    var hasBegun = false
  }

  /// The answer as it was pushed last.
  private struct Event {
    var answer: SharedAnswer
    var content: Int
    /// The first and the last revision that had this content.
    var revisions: ClosedRange<Int64>
    var bytes: [UInt8]
  }

  /// The least time between two answers.
  static let pace = Duration.milliseconds(100)
  /// The least time between two attempts while the database, or the news of changes, is away.
  static let retryPause = Duration.seconds(1)
  static let heartbeat = PushChannel.Heartbeat(interval: .seconds(15), bytes: ServerSentEvent.heartbeat)

  let question: Question
  let number: UInt64
  var followers: [UInt64: Follower] = [:]
  /// When `LiveAnswers` looks at this topic next.
  var wakes: ContinuousClock.Instant?
  private var event: Event?
  private var isAsking = false
  private var isUnavailable = false
  private var asked: ContinuousClock.Instant?

  init(_ question: Question, number: UInt64) {
    self.question = question
    self.number = number
  }

  /// What is to be done next.
  enum Step {
    case nothing
    case ask
    case sleep(until: ContinuousClock.Instant)
  }

  func next(_ cache: AnswerCache, now: ContinuousClock.Instant) -> Step {
    guard !isAsking, !followers.isEmpty else { return .nothing }
    if let event, !isUnavailable, cache.holds(event.answer) {
      for number in followers.keys { begin(number, with: event) }
      return .sleep(until: event.answer.expiry)
    }
    let pause = isUnavailable || (asked != nil && !cache.isTrusted) ? Self.retryPause : Self.pace
    if let asked, asked + pause > now { return .sleep(until: asked + pause) }
    asked = now
    isAsking = true
    return .ask
  }

  func land(_ outcome: Result<SharedAnswer, APIError>) {
    isAsking = false
    switch outcome {
    case .success(let answer): push(answer)
    case .failure(let error): fail(error)
    }
  }

  private func push(_ answer: SharedAnswer) {
    let content = answer.basis?.content ?? answer.body.hashValue
    let revision = answer.basis?.revision ?? 0
    let isSame = event?.content == content
    // Revisions fall when a failover has lost commits.
    let first = isSame ? min(event?.revisions.lowerBound ?? revision, revision) : revision
    let latest = Event(
      answer: answer,
      content: content,
      revisions: first...revision,
      bytes: ServerSentEvent.encode("top-items", id: revision, data: answer.body)
    )
    event = latest
    if !isSame || isUnavailable {
      for follower in followers.values where follower.hasBegun { follower.channel.offer(latest.bytes) }
    }
    isUnavailable = false
    for number in followers.keys { begin(number, with: latest) }
  }

  private func begin(_ number: UInt64, with event: Event) {
    guard let follower = followers[number], !follower.hasBegun else { return }
    followers[number]?.hasBegun = true
    follower.channel.begin(follower.head, heartbeat: Self.heartbeat)
    if let seen = follower.lastEventID, event.revisions.contains(seen) { return }
    follower.channel.offer(event.bytes)
  }

  /// Who has not begun gets the problem as a whole answer; the others stay, and are told once.
  private func fail(_ error: APIError) {
    for (number, follower) in followers {
      if !follower.hasBegun {
        follower.channel.answer(follower.problem(error))
        followers[number] = nil
      } else if !isUnavailable {
        let data = error.problem.body(instance: nil)
        follower.channel.offer(ServerSentEvent.encode("unavailable", data: data))
      }
    }
    isUnavailable = true
  }
}
