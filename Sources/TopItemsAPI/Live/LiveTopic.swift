import APICore
import HTTP

/// One query whose response is pushed to all its subscribers.
final class LiveTopic {
  /// A subscriber.
  struct Subscriber {
    let channel: PushChannel
    /// How its stream begins; nil once it has, as there may be thousands of them.
    var beginning: Beginning?
  }

  /// What is needed until a stream has begun.
  struct Beginning: Sendable {
    let head: Response
    /// What the client has seen before it was cut off.
    let lastEventID: EventID?
    let problem: @Sendable (APIError) -> Response
  }

  /// The response as it was pushed last.
  private struct Event {
    var answer: SharedResponse
    var content: Int
    /// The first and the last revision that had this content.
    var revisions: ClosedRange<Int64>
    var bytes: [UInt8]

    /// Whether a client that has seen an event has seen this. Of a range that ends before the newest window the state
    /// changes with the clock, while the revision stays.
    func wasSeen(at id: EventID) -> Bool {
      guard case .newest = answer.dependency?.end else { return false }
      return revisions.contains(id.revision) && id.state == EventID(answer.dependency).state
    }
  }

  /// The least time between two responses.
  static let pace = Duration.milliseconds(100)
  /// The least time between two attempts while the database, or the listener, is away.
  static let retryPause = Duration.seconds(1)
  static let heartbeat = PushChannel.Heartbeat(interval: .seconds(15), bytes: ServerSentEvent.heartbeat)

  let query: SharedQuery
  let number: UInt64
  private(set) var subscribers: [UInt64: Subscriber] = [:]
  /// Those whose stream has not begun: never all are looked at when one comes.
  private var newcomers: [UInt64] = []
  /// When `LiveStreams` looks at this topic again.
  var alarms: Set<ContinuousClock.Instant> = []
  private var event: Event?
  private var isAsking = false
  private var isUnavailable = false
  private var context: ContinuousClock.Instant?

  init(_ query: SharedQuery, number: UInt64) {
    self.query = query
    self.number = number
  }

  func add(_ subscriber: Subscriber, number: UInt64) {
    subscribers[number] = subscriber
    newcomers.append(number)
  }

  /// - Returns: whether it was there.
  func remove(_ number: UInt64) -> Bool { subscribers.removeValue(forKey: number) != nil }

  /// What is to be done next.
  enum Step {
    case nothing
    case ask
    case sleep(until: ContinuousClock.Instant)
  }

  func next(_ cache: ResponseCache, now: ContinuousClock.Instant) -> Step {
    guard !isAsking, !subscribers.isEmpty else { return .nothing }
    if let event, !isUnavailable, cache.holds(event.answer) {
      beginNewcomers(with: event)
      return .sleep(until: event.answer.expiry)
    }
    let pause = isUnavailable || (context != nil && !cache.isTrusted) ? Self.retryPause : Self.pace
    if let context, context + pause > now { return .sleep(until: context + pause) }
    context = now
    isAsking = true
    return .ask
  }

  func land(_ outcome: Result<SharedResponse, APIError>) {
    isAsking = false
    switch outcome {
    case .success(let answer): push(answer)
    case .failure(let error): fail(error)
    }
  }

  private func push(_ answer: SharedResponse) {
    let content = answer.dependency?.content ?? answer.body.hashValue
    let revision = answer.dependency?.revision ?? 0
    let isSame = event?.content == content
    // Revisions fall when a failover has lost commits.
    let first = isSame ? min(event?.revisions.lowerBound ?? revision, revision) : revision
    let latest = Event(
      answer: answer,
      content: content,
      revisions: first...revision,
      bytes: ServerSentEvent.encode("top-items", id: EventID(answer.dependency).text, data: answer.body)
    )
    event = latest
    if !isSame || isUnavailable {
      for subscriber in subscribers.values where subscriber.beginning == nil {
        subscriber.channel.offer(latest.bytes)
      }
    }
    isUnavailable = false
    beginNewcomers(with: latest)
  }

  private func beginNewcomers(with event: Event) {
    for number in newcomers {
      guard let subscriber = subscribers[number], let beginning = subscriber.beginning else { continue }
      subscribers[number]?.beginning = nil
      subscriber.channel.begin(beginning.head, heartbeat: Self.heartbeat)
      if let seen = beginning.lastEventID, event.wasSeen(at: seen) { continue }
      subscriber.channel.offer(event.bytes)
    }
    newcomers = []
  }

  /// Subscribers without a response yet get the problem as a whole response; the others stay, and get one event.
  private func fail(_ error: APIError) {
    for number in newcomers {
      guard let subscriber = subscribers.removeValue(forKey: number) else { continue }
      if let beginning = subscriber.beginning { subscriber.channel.answer(beginning.problem(error)) }
    }
    newcomers = []
    if !isUnavailable {
      let event = ServerSentEvent.encode("unavailable", data: error.problem.body(instance: nil))
      for subscriber in subscribers.values { subscriber.channel.offer(event) }
    }
    isUnavailable = true
  }
}
