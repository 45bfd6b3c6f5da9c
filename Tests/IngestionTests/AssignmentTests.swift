import CountStore
import Threading
import Testing

@testable import Ingestion

@Suite("the partitions of a worker")
struct AssignmentTests {
  private static let keys = (0..<3).map { PartitionKey(topic: "t", partition: Int32($0)) }

  private func reading(now: @escaping @Sendable () -> MonotonicInstant = MonotonicInstant.now) -> Assignment {
    var assignment = Assignment(now: now)
    assignment.add(Self.keys)
    for index in 0..<3 {
      assignment[index].standing = .reading
      assignment[index].epoch = 5
    }
    return assignment
  }

  @Test("before Kafka has assigned anything, nothing is drained; an empty assignment is")
  func beginning() {
    var assignment = Assignment()
    #expect(!assignment.isDrained)
    assignment.add([])
    #expect(assignment.isDrained)
    #expect(!assignment.hasUnclaimed)
  }

  @Test("given partitions wait for their claim, in the order of their names, and hold the drain up")
  func added() {
    var assignment = Assignment()
    assignment.add(Self.keys.reversed())
    #expect(assignment.entries.map(\.key) == Self.keys)
    #expect(assignment.hasUnclaimed)
    #expect(!assignment.isDrained)
    #expect(assignment.entries.allSatisfy { $0.mayTake && $0.epoch == nil })
  }

  @Test("it is drained when each partition that is read has reported its end")
  func drained() {
    var assignment = reading()
    assignment[0].reachedEnd = true
    assignment[1].reachedEnd = true
    #expect(!assignment.isDrained)
    assignment[2].reachedEnd = true
    #expect(assignment.isDrained)
  }

  @Test("a halted partition does not hold the drain up, and says why; one that another worker holds does")
  func stopped() {
    var assignment = reading()
    for index in 0..<3 { assignment[index].reachedEnd = true }
    assignment[1].reachedEnd = false
    assignment[1].standing = .halted("gone")
    assignment[2].reachedEnd = false
    assignment[2].standing = .fenced(since: MonotonicInstant(nanoseconds: 1))
    #expect(!assignment.isDrained)
    assignment[2].standing = .halted("gone, too")
    #expect(assignment.isDrained)
    #expect(assignment.haltReason == "t[1]: gone")
  }

  @Test("starting over asks for every position again, forgets ends and parts, and keeps epochs and halts")
  func startOver() {
    var assignment = reading()
    for index in 0..<3 {
      assignment[index].reachedEnd = true
      assignment[index].part = Int32(index)
    }
    assignment[2].standing = .halted("gone")
    let version = assignment.version
    assignment.startOver()
    #expect(assignment.version != version)
    #expect(assignment.entries.map(\.standing) == [.unclaimed, .unclaimed, .halted("gone")])
    #expect(assignment.entries.allSatisfy { $0.epoch == 5 && $0.part == nil && !$0.reachedEnd })
    #expect(!assignment.isDrained)
  }

  @Test("a partition that comes again is a new one: its epoch is forgotten and it may be taken once more")
  func cameAgain() {
    var assignment = reading()
    assignment[1].mayTake = false
    assignment[1].standing = .halted("gone")
    assignment.add([Self.keys[1]])
    #expect(assignment.entries.map(\.key) == Self.keys)
    #expect(assignment[1].epoch == nil)
    #expect(assignment[1].mayTake)
    #expect(assignment[1].standing == .unclaimed)
    #expect(assignment[0].standing == .reading)
  }

  @Test("a partition that went is gone, and every change has another version")
  func removed() {
    var assignment = reading()
    let version = assignment.version
    assignment.remove([Self.keys[0], Self.keys[2]])
    #expect(assignment.entries.map(\.key) == [Self.keys[1]])
    #expect(assignment.index(of: Self.keys[0]) == nil)
    #expect(assignment.index(of: Self.keys[1]) == 0)
    #expect(assignment.version > version)
  }

  @Test(
    "a fenced partition that stays for more than a minute may be taken once more, wherever the clock stands",
    arguments: [1, 3_000_000_000_000_000_000, 1 << 63 - 61_000_000_000, 1 << 63] as [UInt64]
  )
  func reconsidered(reading start: UInt64) {
    let (earlier, now) = (
      MonotonicInstant(nanoseconds: start), MonotonicInstant(nanoseconds: start + 61_000_000_000)
    )
    var assignment = reading(now: { now })
    assignment[0].mayTake = false
    assignment[1].mayTake = false
    assignment[0].standing = .fenced(since: now)
    assignment[1].standing = .fenced(since: earlier)
    assignment.reconsiderFenced()
    #expect(assignment[0].standing == .fenced(since: now))
    #expect(!assignment[0].mayTake)
    #expect(assignment[1].standing == .unclaimed)
    #expect(assignment[1].mayTake)
    #expect(assignment[2].standing == .reading)
  }

  @Test("the more leaders are silent, the less often each is asked, until one of them answers")
  func silence() {
    var assignment = Assignment()
    assignment.add(Self.keys)
    let now = MonotonicInstant.now()
    assignment.recordSilence(0)
    assignment.recordSilence(1)
    #expect(!assignment.isDue(0) && !assignment.isDue(1) && assignment.isDue(2))
    #expect(assignment[0].notBefore >= now + .seconds(4))
    #expect(assignment[1].notBefore >= now + .seconds(8))
    assignment.recordResponse(2)
    #expect(!assignment.isDue(0) && !assignment.isDue(1))
    assignment.recordResponse(0)
    #expect(assignment.isDue(1))
    #expect(assignment.entries.map(\.isSilent) == [false, true, false])
  }

  @Test("the end of the log ends the trouble with a position before it; an end before either does not")
  func trouble() {
    var assignment = reading()
    assignment[0].next = 7
    assignment.recordTrouble(0, isOutOfRange: false, reason: "damaged")
    // The stored offset, from which it is read again, lies before the trouble.
    assignment[0].next = 5
    assignment[0].standing = .reading
    assignment[0].logEnd = 5
    assignment.recordEnd(0, at: 5)
    #expect(assignment[0].trouble?.failures == 1)
    assignment[0].logEnd = 8
    assignment.recordEnd(0, at: 7)
    #expect(assignment[0].trouble?.failures == 1)
    #expect(!assignment[0].reachedEnd)
    assignment.recordEnd(0, at: 8)
    #expect(assignment[0].trouble == nil)
    #expect(assignment[0].reachedEnd)
  }
}
