import APICore
import HTTP
import Threading

/// Pushes responses to subscribers: the first at once, then each change, at most ten a second.
///
/// All subscribers of one query share one computation with requests for it. A subscriber that reads slowly
/// skips to the newest response.
final class LiveStreams: Sendable {
  /// Has work done later.
  typealias After = @Sendable (Duration, @escaping @Sendable () -> Void) -> Void

  private struct State {
    var topics: [SharedQuery.Key: LiveTopic] = [:]
    var subscribers = 0
    var nextNumber: UInt64 = 0
    /// Topics whose query is to be asked, by key and number, oldest first.
    var waiting: [(key: SharedQuery.Key, topic: UInt64)] = []
    /// Queries that are being asked.
    var asking = 0
    /// Whether a thread takes from `waiting`.
    var isHandingOut = false
  }

  private let cache: ResponseCache
  private let limits: LiveLimits
  private let now: @Sendable () -> ContinuousClock.Instant
  private let after: After
  /// Channels are used inside the lock, so that messages stay in order; they do not call back.
  private let state = Lock(State())

  init(
    _ cache: ResponseCache,
    limits: LiveLimits = LiveLimits(),
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    after: @escaping After
  ) {
    self.cache = cache
    self.limits = limits
    self.now = now
    self.after = after
  }

  /// How many streams there are.
  var count: Int { state.withLock { $0.subscribers } }

  /// Follows a query.
  ///
  /// - Parameters:
  ///   - head: status and fields of the stream.
  ///   - lastEventID: what the client has seen already.
  ///   - problem: the response to what went wrong before the stream began.
  func follow(
    _ query: SharedQuery,
    head: Response,
    lastEventID: EventID?,
    problem: @escaping @Sendable (APIError) -> Response
  ) -> Reply {
    var head = head
    head.body = ServerSentEvent.beginning
    let beginning = LiveTopic.Beginning(head: head, lastEventID: lastEventID, problem: problem)
    return .push { [self] channel in
      let subscriber = LiveTopic.Subscriber(channel: channel, beginning: beginning)
      guard let number = add(subscriber, to: query) else {
        return channel.answer(problem(.tooManyStreams))
      }
      // Outside the lock: it calls back at once for a client that is gone already.
      channel.whenClosed { [self] in remove(number, from: query.key) }
      advance(query.key)
    }
  }

  /// To be called after the cache has received changes.
  func recordChanges() {
    for key in state.withLock({ Array($0.topics.keys) }) { advance(key) }
  }

  private func add(_ subscriber: LiveTopic.Subscriber, to query: SharedQuery) -> UInt64? {
    state.withLock { state in
      guard state.subscribers < limits.streams else { return nil }
      guard let topic = state.topics[query.key] ?? Self.topic(query, limits, &state),
        topic.subscribers.count < limits.streamsPerQuery
      else { return nil }
      state.nextNumber += 1
      state.subscribers += 1
      topic.add(subscriber, number: state.nextNumber)
      return state.nextNumber
    }
  }

  private static func topic(_ query: SharedQuery, _ limits: LiveLimits, _ state: inout State) -> LiveTopic? {
    guard state.topics.count < limits.queries else { return nil }
    state.nextNumber += 1
    let topic = LiveTopic(query, number: state.nextNumber)
    state.topics[query.key] = topic
    return topic
  }

  private func remove(_ number: UInt64, from key: SharedQuery.Key) {
    state.withLock { state in
      guard let topic = state.topics[key] else { return }
      if topic.remove(number) { state.subscribers -= 1 }
      if topic.subscribers.isEmpty { state.topics[key] = nil }
    }
  }

  private enum Due: Sendable {
    case nothing
    case ask
    case sleep(until: ContinuousClock.Instant)
  }

  /// Does what is due for a topic, or sees to it that it is done in time.
  private func advance(_ key: SharedQuery.Key) {
    let now = now()
    switch state.withLock({ self.due(key, now, &$0) }) {
    case .nothing: break
    case .ask: askWaiting()
    case .sleep(let until):
      after(until - now) { [self] in
        // The topic that it was for may have ended.
        let isDue = state.withLock { $0.topics[key]?.alarms.remove(until) != nil }
        if isDue { advance(key) }
      }
    }
  }

  /// Asks the queries that are due: few at a time, as all requests share the worker threads.
  private func askWaiting() {
    let isFirst = state.withLock { state in
      defer { state.isHandingOut = true }
      return !state.isHandingOut
    }
    guard isFirst else { return }
    while let (query, number) = state.withLock({ next(&$0) }) {
      cache.ask(query) { [self] outcome in
        land(outcome, query.key, number)
        advance(query.key)
        // Within this very loop it changes nothing.
        askWaiting()
      }
    }
  }

  private func next(_ state: inout State) -> (SharedQuery, topic: UInt64)? {
    while state.asking < limits.computations, !state.waiting.isEmpty {
      let (key, number) = state.waiting.removeFirst()
      // Its subscribers may have gone meanwhile.
      guard let topic = state.topics[key], topic.number == number else { continue }
      state.asking += 1
      return (topic.query, number)
    }
    state.isHandingOut = false
    return nil
  }

  private func due(_ key: SharedQuery.Key, _ now: ContinuousClock.Instant, _ state: inout State) -> Due {
    guard let topic = state.topics[key] else { return .nothing }
    switch topic.next(cache, now: now) {
    case .nothing: return .nothing
    case .ask:
      state.waiting.append((key, topic.number))
      return .ask
    case .sleep(let until):
      // One that is due earlier will look again.
      guard topic.alarms.allSatisfy({ $0 > until }) else { return .nothing }
      topic.alarms.insert(until)
      return .sleep(until: until)
    }
  }

  private func land(_ outcome: Result<SharedResponse, APIError>, _ key: SharedQuery.Key, _ number: UInt64) {
    state.withLock { state in
      state.asking -= 1
      // Another topic may have taken its place since, with a response of its own to come.
      guard let topic = state.topics[key], topic.number == number else { return }
      let before = topic.subscribers.count
      topic.land(outcome)
      state.subscribers -= before - topic.subscribers.count
      if topic.subscribers.isEmpty { state.topics[key] = nil }
    }
  }
}

/// How much live push may use.
public struct LiveLimits: Sendable {
  /// Streams at one time. Each is also a connection, or a stream of HTTP/2, which have limits of their own.
  public var streams = 20_000
  /// Streams of the same query.
  public var streamsPerQuery = 10_000
  /// How many different queries are followed: each is asked again up to ten times a second.
  public var queries = 1000
  /// Queries that are asked at one time, so that requests do not wait for all of them: about as many as there are
  /// worker threads.
  public var computations = 4

  /// The defaults.
  public init() {}
}
