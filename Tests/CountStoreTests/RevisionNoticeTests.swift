import Counting
import Testing

@testable import CountStore

@Suite("what a NOTIFY says of a revision")
struct RevisionNoticeTests {
  @Test(
    "a payload is read as it was meant",
    arguments: [
      ([1, 2, 3], 1_793_491_200_000_000), ([], nil), (nil, 5), ([.min, -1, 0, .max], -7),
    ] as [([Int64]?, Int64?)]
  )
  func roundTrip(locations: [Int64]?, newest: Int64?) {
    let newest = newest.map(Timestamp.init(microseconds:))
    let suffix = RevisionNotice.suffix(newestEvent: newest, locations: locations)
    let notice = RevisionNotice(revision: 88_121, newestEvent: newest, locations: locations)
    #expect(RevisionNotice(payload: "88121\(suffix)") == notice)
  }

  @Test("more locations than PostgreSQL takes in a payload are any", arguments: [300, 400, 1000, 100_000])
  func bounded(count: Int) throws {
    let locations = (0..<count).map { Int64.max - Int64($0) }
    let suffix = RevisionNotice.suffix(newestEvent: Timestamp(microseconds: .min), locations: locations)
    #expect(suffix.utf8.count + String(Int64.min).utf8.count < 8000)
    let notice = try #require(RevisionNotice(payload: "1\(suffix)"))
    #expect(notice.locations == (count < 390 ? locations : nil))
    #expect(notice.newestEvent == Timestamp(microseconds: .min))
  }

  @Test(
    "what is not understood may have changed anything",
    arguments: ["12", "12 ", "12 -", "12 - *", "12 - 1,x", "12 - 1 3 4", "12 - 99999999999999999999"]
  )
  func unknown(payload: String) throws {
    let notice = try #require(RevisionNotice(payload: payload))
    #expect(notice.revision == 12)
    #expect(payload == "12 - 1 3 4" ? notice.locations == [1] : notice.locations == nil)
  }

  @Test("what has no revision is no notice", arguments: ["", " ", "x", "1.5", "99999999999999999999"])
  func refused(payload: String) {
    #expect(RevisionNotice(payload: payload) == nil)
  }
}
