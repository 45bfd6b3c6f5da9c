import CountStore
import Counting
import Testing

@testable import TopItemsAPI

@Suite("Which answers event leave standing")
struct InvalidationLogTests {
  private func dependency(_ locations: [Int64], _ end: CacheDependency.End = .fixed) -> CacheDependency {
    CacheDependency(locations: locations, end: end, revision: 1, content: 0, life: .seconds(60))
  }

  private func notice(_ locations: [Int64]?, at event: Int64? = nil) -> RevisionNotice {
    RevisionNotice(
      revision: 2,
      newestEvent: event.map(Timestamp.init(microseconds:)),
      locations: locations
    )
  }

  @Test("exactly those of other locations")
  func locations() {
    var changes = InvalidationLog()
    let before = changes.sequence
    changes.record(CommittedChanges([notice([1, 2]), notice([])]))
    #expect(!changes.leave(dependency([1]), since: before))
    #expect(!changes.leave(dependency([3, 2]), since: before))
    #expect(!changes.leave(dependency([]), since: before), "no location means every one")
    #expect(changes.leave(dependency([3]), since: before))
    #expect(changes.leave(dependency([1]), since: changes.sequence), "known when the query began")
    changes.record(CommittedChanges())
    #expect(changes.leave(dependency([1]), since: changes.sequence))
    let quiet = changes.sequence
    changes.record(CommittedChanges([notice([])]))
    #expect(changes.leave(dependency([]), since: quiet), "a batch that counted nothing")
    changes.record(CommittedChanges([notice(nil)]))
    #expect(!changes.leave(dependency([3]), since: quiet))
  }

  @Test("responses about one location and about several are invalidated separately")
  func paces() {
    var changes = InvalidationLog()
    let before = changes.sequence
    var received = CommittedChanges()
    received.alone = [1]
    changes.record(received)
    #expect(!changes.leave(dependency([1]), since: before))
    #expect(changes.leave(dependency([1, 2]), since: before))
    #expect(changes.leave(dependency([]), since: before))
    let since = changes.sequence
    received.alone = []
    received.together = [1]
    changes.record(received)
    #expect(changes.leave(dependency([1]), since: since))
    #expect(!changes.leave(dependency([1, 2]), since: since))
    #expect(changes.leave(dependency([2, 3]), since: since))
    #expect(!changes.leave(dependency([]), since: since))
  }

  @Test("a range that ends with the newest window moves with an event beyond it, of whatever location")
  func newestWindow() {
    var changes = InvalidationLog()
    let before = changes.sequence
    let end = CacheDependency.End.newest(Timestamp(microseconds: 60))
    changes.record(CommittedChanges([notice([9], at: 59)]))
    #expect(changes.leave(dependency([1], end), since: before))
    #expect(!changes.leave(dependency([1], .newest(nil)), since: before), "nothing was counted yet")
    changes.record(CommittedChanges([notice([9], at: 60)]))
    #expect(!changes.leave(dependency([1], end), since: before))
    #expect(changes.leave(dependency([1]), since: before), "a fixed range stays")
    // A failover can take the newest window back.
    #expect(changes.leave(dependency([1], end), since: changes.sequence))
    changes.record(CommittedChanges([notice([9], at: 61)]))
    #expect(changes.leave(dependency([1], .newest(Timestamp(microseconds: 120))), since: before))
  }

  @Test("everything goes when event were missed, and more locations than can be remembered are any")
  func everything() {
    var changes = InvalidationLog()
    var before = changes.sequence
    changes.invalidateAll()
    #expect(!changes.leave(dependency([1]), since: before))
    before = changes.sequence
    changes.record(CommittedChanges([notice(Array(100..<100 + Int64(InvalidationLog.locationLimit) + 1))]))
    #expect(!changes.leave(dependency([1]), since: before))
  }
}
