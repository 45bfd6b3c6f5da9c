import Counting
import APICore
import CountStore
import HTTP
import Threading
import TestSupport
import Testing

@testable import TopItemsAPI

/// The laws of the cache, against a model.
@Suite("Responses from memory, whatever happens")
final class ResponseCacheLawTests: Sendable {
  /// What was committed, by location.
  private struct Model {
    var received: [Int64: Int] = [:]
    var unreceived: [Int64] = []
  }

  private let fixture = ResponseCacheFixture()
  private let delivered = Lock(0)

  /// Whatever the order of commits, event, queries, queries and pauses.
  @Test(
    "no response misses a change that was received before its request, and no more is kept than may be",
    arguments: 0..<40
  )
  func law(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    let capacity = seed % 3 == 0 ? 8 * 2500 : 1 << 20
    let cache = fixture.cache(capacity: capacity)
    var model = Model()
    var requests = 0
    cache.receive(.attached(.listening))
    for _ in 0..<600 {
      switch Int.random(in: 0..<12, using: &random) {
      case 0...2:
        let location = Int64(Int.random(in: 0..<3, using: &random))
        fixture.commit(location)
        model.unreceived.append(location)
      case 3, 4:
        for location in model.unreceived { model.received[location] = fixture.version(location) }
        // One report may hold more than one commit, and several of a location.
        if !model.unreceived.isEmpty {
          let notices = model.unreceived.map { RevisionNotice(revision: 1, locations: [$0]) }
          cache.receive(.changed(CommittedChanges(notices)))
        }
        model.unreceived = []
      case 5...8:
        let locations = (0..<3).map(Int64.init).filter { _ in Bool.random(using: &random) }
        guard !locations.isEmpty else { continue }
        let least = locations.map { model.received[$0] ?? 0 }
        requests += 1
        if Bool.random(using: &random) {
          cache.ask(fixture.query(locations), acceptsGzip: Bool.random(using: &random)) { [self] outcome in
            check((try? outcome.get())?.body, least)
          }
        } else {
          try request(cache, locations, spelling: Int.random(in: 0..<12, using: &random), least)
        }
      case 9: fixture.runOne(Int.random(in: 0..<4, using: &random))
      case 10: fixture.pass(.milliseconds(Int.random(in: 0..<2000, using: &random)))
      default:
        if Int.random(in: 0..<10, using: &random) == 0 { cache.receive(.lost) }
        cache.receive(.attached(.listening))
        for location in 0..<3 { model.received[Int64(location)] = fixture.version(Int64(location)) }
        model.unreceived = []
      }
      try #require(cache.statistics.bytes <= capacity)
    }
    fixture.runAll()
    #expect(delivered.withLock { $0 } == requests, "every request is answered, once")
  }

  /// Asks as a server does: by the target as it was sent, of which there are long ones.
  private func request(_ cache: ResponseCache, _ locations: [Int64], spelling: Int, _ least: [Int]) throws {
    let query = locations.map { "location=\($0)" }.joined(separator: "&")
    let request = Request(target: try Target("/v?\(query)\(String(repeating: "&", count: 100 * spelling))"))
    if let hit = cache.hit(request, scope: .all) { return check(hit.body, least) }
    switch cache.reply(
      fixture.query(locations),
      to: request,
      scope: .all,
      problem: { Frame().response($0) }
    ) {
    case .ready(let response): check(response.body, least)
    case .push(let subscribe):
      let send = { @Sendable [self] (signal: PushChannel.Signal) in
        guard case .answer(let response) = signal else { return }
        check(response.body, least)
      }
      subscribe(PushChannel(send: send, onClose: { _ in }))
    default: Issue.record("neither an answer nor a promise")
    }
  }

  private func check(_ body: [UInt8]?, _ least: [Int]) {
    delivered.withLock { $0 += 1 }
    guard let body else {
      Issue.record("no answer")
      return
    }
    let versions = String(decoding: body, as: UTF8.self).split(separator: ",").compactMap { Int($0) }
    #expect(versions.count == least.count)
    #expect(zip(versions, least).allSatisfy { $0 >= $1 }, "\(versions) misses some of \(least)")
  }
}
