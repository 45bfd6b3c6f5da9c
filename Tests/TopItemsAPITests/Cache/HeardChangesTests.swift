import CountStore
import Counting
import Testing

@testable import TopItemsAPI

@Suite("Which answers news leave standing")
struct HeardChangesTests {
  private func basis(_ locations: [Int64], _ end: Basis.End = .fixed) -> Basis {
    Basis(locations: locations, end: end, revision: 1, content: 0, life: .seconds(60))
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
    var changes = HeardChanges()
    let before = changes.sequence
    changes.note(HeardRevisions([notice([1, 2]), notice([])]))
    #expect(!changes.leave(basis([1]), since: before))
    #expect(!changes.leave(basis([3, 2]), since: before))
    #expect(!changes.leave(basis([]), since: before), "no location means every one")
    #expect(changes.leave(basis([3]), since: before))
    #expect(changes.leave(basis([1]), since: changes.sequence), "known when the query began")
    changes.note(HeardRevisions())
    #expect(changes.leave(basis([1]), since: changes.sequence))
    let quiet = changes.sequence
    changes.note(HeardRevisions([notice([])]))
    #expect(changes.leave(basis([]), since: quiet), "a batch that counted nothing")
    changes.note(HeardRevisions([notice(nil)]))
    #expect(!changes.leave(basis([3]), since: quiet))
  }

  @Test("answers about one location and about several each hear for themselves")
  func paces() {
    var changes = HeardChanges()
    let before = changes.sequence
    var heard = HeardRevisions()
    heard.alone = [1]
    changes.note(heard)
    #expect(!changes.leave(basis([1]), since: before))
    #expect(changes.leave(basis([1, 2]), since: before))
    #expect(changes.leave(basis([]), since: before))
    let since = changes.sequence
    heard.alone = []
    heard.together = [1]
    changes.note(heard)
    #expect(changes.leave(basis([1]), since: since))
    #expect(!changes.leave(basis([1, 2]), since: since))
    #expect(changes.leave(basis([2, 3]), since: since))
    #expect(!changes.leave(basis([]), since: since))
  }

  @Test("a range that ends with the newest window moves with an event beyond it, of whatever location")
  func newestWindow() {
    var changes = HeardChanges()
    let before = changes.sequence
    let end = Basis.End.newest(Timestamp(microseconds: 60))
    changes.note(HeardRevisions([notice([9], at: 59)]))
    #expect(changes.leave(basis([1], end), since: before))
    #expect(!changes.leave(basis([1], .newest(nil)), since: before), "nothing was counted yet")
    changes.note(HeardRevisions([notice([9], at: 60)]))
    #expect(!changes.leave(basis([1], end), since: before))
    #expect(changes.leave(basis([1]), since: before), "a fixed range stays")
    // A failover can take the newest window back.
    #expect(changes.leave(basis([1], end), since: changes.sequence))
    changes.note(HeardRevisions([notice([9], at: 61)]))
    #expect(changes.leave(basis([1], .newest(Timestamp(microseconds: 120))), since: before))
  }

  @Test("everything goes when news were missed, and more locations than can be remembered are any")
  func everything() {
    var changes = HeardChanges()
    var before = changes.sequence
    changes.noteAnything()
    #expect(!changes.leave(basis([1]), since: before))
    before = changes.sequence
    changes.note(HeardRevisions([notice(Array(100..<100 + Int64(HeardChanges.locationLimit) + 1))]))
    #expect(!changes.leave(basis([1]), since: before))
  }
}
