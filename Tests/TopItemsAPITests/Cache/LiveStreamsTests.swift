import APICore
import CountStore
import Counting
import HTTP
import Testing

@testable import TopItemsAPI

@Suite("Responses that are pushed")
struct LiveStreamsTests {
  private let fixture = ResponseCacheFixture()

  private func follow(
    _ live: LiveStreams,
    _ query: SharedQuery,
    _ given: Given,
    lastEventID: String? = nil
  ) throws -> () -> Void {
    let reply = live.follow(
      query,
      head: Response(status: .ok),
      lastEventID: lastEventID.flatMap(EventID.init(text:)),
      problem: { Frame().response($0) }
    )
    let client = try Client(reply, given)
    return { client.leave() }
  }

  private func event(_ id: Int, _ data: String) -> String { "id: \(id)\nevent: top-items\ndata: \(data)\n\n" }

  @Test("the response at once, then each change of it, and nothing for what leaves it as it is")
  func changes() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    func receive(_ event: RevisionEvent) {
      cache.receive(event)
      live.recordChanges()
      fixture.runAll()
    }
    receive(.attached(.listening))
    let given = Given()
    _ = try follow(live, fixture.query([1]), given)
    fixture.runAll()
    #expect(given.all == ["begin", event(0, "0")])
    fixture.pass(.milliseconds(200))
    fixture.commit(1)
    receive(.locationsChanged(1))
    #expect(given.all.count == 3 && given.all.last == event(1, "1"), "the first change at once")
    receive(.locationsChanged(2))
    receive(.locationsChanged(1))
    fixture.pass(.seconds(1))
    #expect(given.all.count == 3)
  }

  @Test("changes are pushed ten times a second at most, and the last one always")
  func pace() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    cache.receive(.attached(.listening))
    let given = Given()
    _ = try follow(live, fixture.query([1]), given)
    fixture.runAll()
    for _ in 0..<40 {
      fixture.commit(1)
      cache.receive(.locationsChanged(1))
      live.recordChanges()
      fixture.runAll()
      fixture.pass(.milliseconds(50))
    }
    fixture.pass(.milliseconds(100))
    #expect((19...22).contains(given.all.count - 2))
    #expect(given.all.last == event(40, "40"))
    #expect(fixture.queries <= 22)
    #expect(fixture.waitingTimers <= 3, "those that others have overtaken are forgotten")
  }

  @Test("ten thousand subscribers of one query cost one query for each change")
  func sharing() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    cache.receive(.attached(.listening))
    let all = (0..<10_000).map { _ in Given() }
    var closings: [() -> Void] = []
    for given in all { closings.append(try follow(live, fixture.query([1]), given)) }
    fixture.runAll()
    #expect(fixture.queries == 1)
    fixture.pass(.milliseconds(200))
    fixture.commit(1)
    cache.receive(.locationsChanged(1))
    live.recordChanges()
    fixture.runAll()
    #expect(fixture.queries == 2)
    #expect(all.allSatisfy { $0.all == ["begin", event(0, "0"), event(1, "1")] })
    #expect(live.count == 10_000)
    for close in closings { close() }
    #expect(live.count == 0)
  }

  @Test("a client that reconnects gets no repeat of what it has seen, and everything else")
  func resume() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    cache.receive(.attached(.listening))
    fixture.commit(1)
    let (knows, missed, other) = (Given(), Given(), Given())
    _ = try follow(live, fixture.query([1]), knows, lastEventID: "1")
    _ = try follow(live, fixture.query([1]), missed, lastEventID: "0")
    fixture.runAll()
    _ = try follow(live, fixture.query([1]), other, lastEventID: "7")
    #expect(knows.all == ["begin"])
    #expect(missed.all == ["begin", event(1, "1")])
    #expect(other.all == ["begin", event(1, "1")])
  }

  @Test(
    "a change of the workers' state is pushed, also to a client that reconnects with the state before, without a revision"
  )
  func workers() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    cache.receive(.attached(.listening))
    fixture.commit(1)
    fixture.setFreshness(FreshnessLabel(name: "live", since: nil))
    let (stays, back, again) = (Given(), Given(), Given())
    _ = try follow(live, fixture.query([1]), stays)
    fixture.runAll()
    fixture.setFreshness(FreshnessLabel(name: "quiet", since: Timestamp(microseconds: 7_500_000)))
    cache.receive(.workers(nil))
    live.recordChanges()
    fixture.pass(.milliseconds(200))
    #expect(stays.all.last == "id: 1-quiet7\nevent: top-items\ndata: 1\n\n" && stays.all.count == 3)
    _ = try follow(live, fixture.query([1]), back, lastEventID: "1-live")
    _ = try follow(live, fixture.query([1]), again, lastEventID: "1-quiet7")
    fixture.runAll()
    #expect(back.all == ["begin", "id: 1-quiet7\nevent: top-items\ndata: 1\n\n"])
    #expect(again.all == ["begin"])
  }

  @Test(
    "of a range that has ended everything is sent to a client that reconnects: its state changes by the clock alone"
  )
  func resumeEndedRange() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    cache.receive(.attached(.listening))
    fixture.commit(1)
    let knows = Given()
    _ = try follow(live, fixture.query([1], end: .fixed), knows, lastEventID: "1")
    fixture.runAll()
    #expect(knows.all == ["begin", event(1, "1")])
  }

  @Test("an unreachable database is reported once, the stream stays, and goes on when it is back")
  func away() throws {
    let cache = fixture.cache()
    let live = fixture.live(cache)
    func receive(_ event: RevisionEvent) {
      cache.receive(event)
      live.recordChanges()
      fixture.runAll()
    }
    receive(.attached(.listening))
    let (early, late, back) = (Given(), Given(), Given())
    _ = try follow(live, fixture.query([1]), early)
    fixture.runAll()
    fixture.pass(.seconds(2))
    fixture.setAway(true)
    receive(.lost)
    _ = try follow(live, fixture.query([1]), late)
    fixture.pass(.seconds(5))
    #expect(early.all.count == 3)
    #expect(
      early.all.last?.hasPrefix("event: unavailable\ndata: {\"type\":\"urn:topitems:problem:database-away\"")
        == true
    )
    #expect(late.all == ["answer 503"], "before the stream has begun it is an ordinary error")
    #expect(fixture.queries <= 9, "about one attempt a second")
    fixture.setAway(false)
    _ = try follow(live, fixture.query([1]), back)
    fixture.pass(.seconds(2))
    #expect(early.all.last == event(0, "0"), "although nothing has changed")
    #expect(back.all == ["begin", event(0, "0")])
    #expect(live.count == 2)
    // No event yet, but the response is looked at all the same.
    fixture.commit(1)
    fixture.pass(.seconds(2))
    #expect(early.all.last == event(1, "1"))
  }

  @Test("few queries are asked at one time, in turn, and those without subscribers not at all")
  func turns() throws {
    var limits = LiveLimits()
    limits.computations = 3
    let cache = fixture.cache()
    let live = fixture.live(cache, limits: limits)
    cache.receive(.attached(.listening))
    let all = (0..<20).map { _ in Given() }
    var closings: [() -> Void] = []
    for (location, given) in all.enumerated() {
      closings.append(try follow(live, fixture.query([Int64(location)]), given))
    }
    #expect(fixture.waitingWork == 3)
    // One that had its turn, and one that waits for it.
    for gone in [0, 10] { closings[gone]() }
    var most = 0
    while fixture.waitingWork > 0 {
      most = max(most, fixture.waitingWork)
      fixture.runOne()
    }
    #expect(most == 3 && fixture.queries == 19)
    for (location, given) in all.enumerated() where location != 0 && location != 10 {
      #expect(given.all == ["begin", event(0, "0")])
    }
    fixture.pass(.milliseconds(200))
    for location in 0..<20 { fixture.commit(Int64(location)) }
    // The queue is full for a while: all subscribers get an event, and nothing is forgotten.
    fixture.setFull(true)
    cache.receive(.attached(.listening))
    live.recordChanges()
    #expect(all[1].all.last?.hasPrefix("event: unavailable") == true && all[19].all.count == 3)
    fixture.setFull(false)
    fixture.pass(.seconds(2))
    for (location, given) in all.enumerated() where location != 0 && location != 10 {
      #expect(given.all.last == event(1, "1"))
    }
  }

  @Test("beyond the limits there is a 503 that says when to come again")
  func limits() throws {
    var limits = LiveLimits()
    (limits.streams, limits.streamsPerQuery, limits.queries) = (4, 2, 2)
    let cache = fixture.cache()
    let live = fixture.live(cache, limits: limits)
    cache.receive(.attached(.listening))
    let all = (0..<6).map { _ in Given() }
    var closings: [() -> Void] = []
    for (given, location) in zip(all, [1, 1, 1, 2, 3, 2] as [Int64]) {
      closings.append(try follow(live, fixture.query([location]), given))
    }
    fixture.runAll()
    #expect(all.map { $0.all.first } == ["begin", "begin", "answer 503", "begin", "answer 503", "begin"])
    closings[0]()
    let next = Given()
    _ = try follow(live, fixture.query([1]), next)
    #expect(next.all.first == "begin")
  }
}
