import Counting
import APICore
import CountStore
import HTTP
import Threading
import Testing

@testable import TopItemsAPI

@Suite("Responses from memory")
struct ResponseCacheTests {
  private let fixture = ResponseCacheFixture()
  private let given = Given()

  @Test("a query is asked once for all that ask meanwhile, and then answered from memory")
  func sharing() {
    let cache = fixture.cache()
    cache.receive(.attached(.listening))
    for _ in 1...3 { cache.ask(fixture.query([1]), deliver: given.deliver) }
    #expect(given.all.isEmpty)
    fixture.runAll()
    #expect(given.all == ["0", "0", "0"])
    cache.ask(fixture.query([1]), deliver: given.deliver)
    #expect(given.all.count == 4 && fixture.waitingWork == 0)
    #expect(fixture.queries == 1)
    #expect(cache.statistics.hits == 1 && cache.statistics.computations == 1)
  }

  @Test("a change takes away exactly the responses that it touches")
  func invalidation() {
    let cache = fixture.cache()
    cache.receive(.attached(.listening))
    for locations: [Int64] in [[1], [2], [1, 2]] {
      cache.ask(fixture.query(locations), deliver: given.deliver)
    }
    fixture.runAll()
    fixture.commit(1)
    cache.receive(.locationsChanged(1))
    for locations: [Int64] in [[1], [2], [1, 2]] {
      cache.ask(fixture.query(locations), deliver: given.deliver)
    }
    #expect(fixture.waitingWork == 2)
    fixture.runAll()
    #expect(given.all.suffix(3).sorted() == ["0", "1", "1,0"])
  }

  @Test("a request after a change that the query under way may miss waits for the next one")
  func race() {
    let cache = fixture.cache()
    let (early, late) = (Given(), Given())
    let context = fixture.query([1])
    // The change is committed, reported, and asked for while the query has its snapshot already.
    let racing = SharedQuery(key: context.key) { [fixture] () throws(APIError) in
      let answer = try context.answer()
      if fixture.version(1) == 0 {
        fixture.commit(1)
        cache.receive(.locationsChanged(1))
        cache.ask(context, deliver: late.deliver)
      }
      return answer
    }
    cache.receive(.attached(.listening))
    cache.ask(racing, deliver: early.deliver)
    fixture.runOne()
    #expect(early.all == ["0"])
    #expect(late.all.isEmpty)
    fixture.runAll()
    #expect(late.all == ["1"])
  }

  @Test("while changes are not received, nothing is answered from memory", arguments: [true, false])
  func untrusted(isReported: Bool) {
    let cache = fixture.cache()
    func ask() -> Int {
      let before = fixture.queries
      cache.ask(fixture.query([1]), deliver: given.deliver)
      fixture.runAll()
      return fixture.queries - before
    }
    #expect([ask(), ask()] == [1, 1], "nothing has been received yet")
    cache.receive(.attached(.listening))
    #expect([ask(), ask()] == [1, 0])
    // The listener says that it is away, or it says nothing any more.
    if isReported { cache.receive(.lost) } else { fixture.pass(.seconds(4)) }
    #expect([ask(), ask()] == [1, 1])
    cache.receive(isReported ? .attached(.polling) : .changed(CommittedChanges()))
    #expect([ask(), ask()] == [1, 0])
  }

  @Test("a query whose waiters have all gone before it was begun is not asked, and can be asked again")
  func gone() throws {
    let cache = fixture.cache()
    cache.receive(.attached(.listening))
    let target = try Target("/v?location=1")
    func client() throws -> Client {
      try Client(
        cache.reply(fixture.query([1]), to: Request(target: target), scope: .all) { Frame().response($0) }
      )
    }
    let gone = try (0..<3).map { _ in try client() }
    #expect(fixture.waitingWork == 1)
    for client in gone { client.leave() }
    fixture.runAll()
    #expect(fixture.queries == 0 && cache.statistics.computations == 0)
    let (early, late) = (try client(), try client())
    early.leave()
    fixture.runAll()
    late.leave()
    #expect(fixture.queries == 1 && early.given.all.isEmpty && late.given.all == ["answer 200"])
  }

  @Test("labels that the clock moves are made again when the response's life is over")
  func life() {
    let cache = fixture.cache()
    for second in 0..<130 {
      cache.receive(second == 0 ? .attached(.listening) : .changed(CommittedChanges()))
      cache.ask(fixture.query([1]), deliver: given.deliver)
      fixture.runAll()
      fixture.pass(.seconds(1))
    }
    #expect(fixture.queries == 3)
  }

  @Test("a failure goes to the waiters, and is not kept")
  func failure() {
    let cache = fixture.cache()
    cache.receive(.attached(.listening))
    fixture.setAway(true)
    for _ in 1...2 { cache.ask(fixture.query([1]), deliver: given.deliver) }
    fixture.runAll()
    fixture.setAway(false)
    cache.ask(fixture.query([1]), deliver: given.deliver)
    fixture.runAll()
    #expect(given.all == ["databaseAway", "databaseAway", "0"])
    #expect(cache.statistics.answers == 1)
    fixture.setFull(true)
    cache.ask(fixture.query([2]), deliver: given.deliver)
    #expect(given.all.last == "databaseBusy")
    #expect(cache.statistics.answers == 1)
  }

  @Test("memory is bounded: what was not used for longest goes")
  func bounded() {
    let cache = fixture.cache(capacity: 100_000)
    cache.receive(.attached(.listening))
    for location: Int64 in 1...100 {
      for context in [location, 1] {
        cache.ask(fixture.query([context], size: 5000), deliver: given.deliver)
        fixture.runAll()
        #expect(cache.statistics.bytes <= 100_000)
      }
    }
    #expect(fixture.queries == 100, "the most used one was never dropped")
    cache.ask(fixture.query([7], size: 50_000), deliver: given.deliver)
    fixture.runAll()
    #expect(cache.statistics.bytes <= 100_000, "one that would take the place of many is not kept")
  }
}
