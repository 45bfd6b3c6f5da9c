import CountStore
import Counting
import Testing

@testable import Ingestion

@Suite("messages that the database refuses")
struct RejectionsTests {
  private static let key = PartitionKey(topic: "t", partition: 0)
  private static let other = PartitionKey(topic: "t", partition: 1)

  private func report(next: Int64, counted: Int = 0, deadLetters: Int = 0) -> BatchReport {
    var part = Batch.Part(topic: "t", partition: 0, epoch: 1, base: 0)
    part.next = next
    part.fates.counted = counted
    part.fates.deadLetter = deadLetters
    let zero = Timestamp(microseconds: 0)
    return BatchReport(
      revision: 1,
      parts: [part],
      bounds: EventTimeBounds(floor: zero, now: zero),
      microseconds: 1,
      times: PhaseTimes(),
      usedCarefulPath: false
    )
  }

  @Test("a refused message keeps its reason until it is committed as a dead letter")
  func reasons() {
    var rejections = Rejections()
    #expect(rejections.isEmpty)
    rejections.suspect([Self.key: 100])
    rejections.add(Self.key, offset: 7, reason: "no")
    #expect(rejections.reason(Self.key, offset: 7) == "no")
    #expect(rejections.reason(Self.key, offset: 8) == nil)
    #expect(rejections.reason(Self.other, offset: 7) == nil)
    rejections.recordCommit(report(next: 7, counted: 7))
    #expect(rejections.reason(Self.key, offset: 7) == "no")
    rejections.recordCommit(report(next: 8, deadLetters: 1))
    #expect(rejections.isEmpty)
  }

  @Test("more than ten of one refused batch are too many, though each is committed before the next is found")
  func tooManyOfABatch() {
    var rejections = Rejections()
    rejections.suspect([Self.key: 100])
    for number: Int64 in 0..<11 {
      #expect(!rejections.areTooMany)
      rejections.add(Self.key, offset: number * 3, reason: "no")
      rejections.recordCommit(report(next: number * 3 + 2, counted: 1, deadLetters: 1))
    }
    #expect(rejections.areTooMany)
  }

  @Test("ten of every refused batch are bad luck, over and over")
  func badLuck() {
    var rejections = Rejections()
    for round: Int64 in 0..<5 {
      rejections.suspect([Self.key: round * 100 + 100])
      for number: Int64 in 0..<10 { rejections.add(Self.key, offset: round * 100 + number, reason: "no") }
      #expect(!rejections.areTooMany)
      rejections.recordCommit(report(next: round * 100 + 100, counted: 90, deadLetters: 10))
    }
  }

  @Test("a database that refuses every message, which come one at a time, is found out")
  func oneAtATime() {
    var rejections = Rejections()
    for offset: Int64 in 0..<11 {
      #expect(!rejections.areTooMany)
      rejections.suspect([Self.key: offset + 1])
      rejections.add(Self.key, offset: offset, reason: "no")
      rejections.recordCommit(report(next: offset + 1, deadLetters: 1))
    }
    #expect(rejections.areTooMany)
  }

  @Test("a partition that goes to another worker takes its reasons along")
  func forget() {
    var rejections = Rejections()
    rejections.suspect([Self.key: 10])
    rejections.add(Self.key, offset: 7, reason: "no")
    rejections.forget(Self.key)
    #expect(rejections.isEmpty)
  }
}
