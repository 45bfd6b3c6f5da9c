import APICore
import CountStore
import Counting
import HTTP
import Threading
import Postgres
import Testing

@testable import TopItemsAPI

/// A cache over a store in memory, whose clock and threads are the test's: work runs when the test says so.
final class ResponseCacheFixture: Sendable {
  private struct State {
    var now = ContinuousClock.now
    var work: [@Sendable () -> Void] = []
    var timers: [(due: ContinuousClock.Instant, work: @Sendable () -> Void)] = []
    var versions: [Int64: Int] = [:]
    var isAway = false
    var isFull = false
    var queries = 0
    var freshness: FreshnessLabel?
  }

  private let state = Lock(State())

  var now: ContinuousClock.Instant { state.withLock { $0.now } }
  var queries: Int { state.withLock { $0.queries } }
  var waitingTimers: Int { state.withLock { $0.timers.count } }
  var waitingWork: Int { state.withLock { $0.work.count } }
  func setAway(_ isAway: Bool) { state.withLock { $0.isAway = isAway } }
  func setFreshness(_ label: FreshnessLabel) { state.withLock { $0.freshness = label } }
  func setFull(_ isFull: Bool) { state.withLock { $0.isFull = isFull } }

  func cache(capacity: Int = 1 << 20) -> ResponseCache {
    ResponseCache(capacity: capacity, now: { [self] in now }) { [self] work in
      state.withLock { state in
        if !state.isFull { state.work.append(work) }
        return !state.isFull
      }
    }
  }

  func live(_ cache: ResponseCache, limits: LiveLimits = LiveLimits()) -> LiveStreams {
    LiveStreams(cache, limits: limits, now: { [self] in now }) { [self] delay, work in
      state.withLock { $0.timers.append((due: $0.now + delay, work: work)) }
    }
  }

  /// Runs one piece of work, and all that it leads to at once.
  func runOne(_ index: Int = 0) {
    let work = state.withLock { $0.work.isEmpty ? nil : $0.work.remove(at: index % $0.work.count) }
    work?()
  }

  func runAll() { while waitingWork > 0 { runOne() } }

  /// Lets time pass, with the timers that are due meanwhile.
  func pass(_ duration: Duration) {
    let end = now + duration
    while let timer = state.withLock({ state -> (@Sendable () -> Void)? in
      guard let index = state.timers.indices.min(by: { state.timers[$0].due < state.timers[$1].due }),
        state.timers[index].due <= end
      else { return nil }
      state.now = max(state.now, state.timers[index].due)
      return state.timers.remove(at: index).work
    }) {
      timer()
      runAll()
    }
    state.withLock { $0.now = end }
  }

  /// A commit that is not reported yet.
  func commit(_ location: Int64) { state.withLock { $0.versions[location, default: 0] += 1 } }
  func version(_ location: Int64) -> Int { state.withLock { $0.versions[location] ?? 0 } }

  /// Asks for the versions of some locations, padded to a size: `3,0,…` in the order of the locations.
  func query(
    _ locations: [Int64],
    size: Int = 0,
    end: CacheDependency.End = .newest(Timestamp(microseconds: 60))
  ) -> SharedQuery {
    SharedQuery(key: .init("/v", ["location": locations.map(String.init).joined(separator: ",")])) {
      [self] () throws(APIError) in
      let versions = state.withLock { state -> [Int]? in
        state.queries += 1
        return state.isAway ? nil : locations.map { state.versions[$0] ?? 0 }
      }
      guard let versions else { throw .databaseAway }
      let freshness = state.withLock { $0.freshness }
      let body = Array("\(versions.map(String.init).joined(separator: ","))".utf8)
      let revision = versions.reduce(0, +)
      return (
        Frame().response(
          EndpointResponse(
            body: body + Array(repeating: 32, count: size),
            isRevalidated: true,
            dependency: nil
          )
        ),
        CacheDependency(
          locations: locations,
          end: end,
          revision: Int64(revision),
          freshness: freshness,
          content: [versions.hashValue, freshness.hashValue].hashValue,
          life: .seconds(60)
        )
      )
    }
  }
}

extension RevisionEvent {
  static func locationsChanged(_ locations: Int64...) -> RevisionEvent {
    .changed(CommittedChanges([RevisionNotice(revision: 1, locations: locations)]))
  }

  static let lost = RevisionEvent.detached(.init(.connection, "gone"))
}

/// The waiters.
final class Client: @unchecked Sendable {
  // Unchecked is safe: a test uses it on one thread.
  private var bodies: [@Sendable () -> Void] = []
  let given: Given

  init(_ reply: Reply, _ given: Given = Given()) throws {
    self.given = given
    guard case .push(let subscribe) = reply else { throw UnexpectedReply() }
    subscribe(PushChannel(send: { given.take($0) }, onClose: { [self] in bodies.append($0) }))
  }

  func leave() { for body in bodies { body() } }
}

/// What clients were given, in order.
final class Given: Sendable {
  private let list = Lock<[String]>([])
  var all: [String] { list.withLock { $0 } }
  func append(_ text: String) { list.withLock { $0.append(text) } }

  var deliver: @Sendable (Result<SharedResponse, APIError>) -> Void {
    { [self] outcome in
      switch outcome {
      case .success(let answer): append(String(decoding: answer.body.prefix { $0 != 32 }, as: UTF8.self))
      case .failure(let error): append("\(error)")
      }
    }
  }

  /// Takes down what goes to a channel.
  func take(_ signal: PushChannel.Signal) {
    switch signal {
    case .answer(let response): append("answer \(response.status.rawValue)")
    case .begin: append("begin")
    case .message(let bytes): append(String(decoding: bytes, as: UTF8.self))
    case .end: append("end")
    }
  }
}

extension SharedQuery.Key {
  /// The key of a query with these parameters.
  init(_ path: String, _ items: KeyValuePairs<String, String>, scope: LocationScope = .all) {
    var parameters = ParameterReader(items.map { (name: $0.key, value: $0.value) })
    for item in items { _ = parameters.one(item.key, expected: "text") { $0 } }
    self.init(path: path, format: .page, parameters: parameters, scope: scope)
  }
}

extension RequestContext {
  /// Of a request without parameters.
  static func empty() throws -> RequestContext {
    RequestContext(
      request: Request(target: try Target("/")),
      items: [],
      origin: "",
      path: "/",
      scope: .all,
      frame: Frame(),
      shared: nil
    )
  }
}
