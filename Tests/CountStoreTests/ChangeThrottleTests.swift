import Counting
import TestSupport
import Testing

@testable import CountStore

@Suite("Throttle of changes")
struct ChangeThrottleTests {
  private let start = ContinuousClock.now

  private func notice(_ locations: [Int64]?, at event: Int64? = nil) -> RevisionNotice {
    RevisionNotice(
      revision: 1,
      newestEvent: event.map(Timestamp.init(microseconds:)),
      locations: locations
    )
  }

  /// No more than 20 within any second.
  private func isPaced(_ times: [ContinuousClock.Instant]) -> Bool {
    times.indices.allSatisfy { index in
      times[index...].prefix { $0 < times[index] + .seconds(1) }.count <= 20
    }
  }

  @Test("single changes pass at once, for all responses")
  func quiet() {
    var lanes = ChangeThrottle()
    for round in 0..<100 {
      let notice = notice([Int64(round % 2)], at: Int64(round))
      let received = lanes.take([notice], at: start + .milliseconds(70) * round)
      #expect(received == CommittedChanges([notice]))
      #expect(lanes.due(after: start) == nil)
    }
  }

  @Test("a busy location passes at most twenty times a second, and one beside it at once")
  func busy() {
    var lanes = ChangeThrottle()
    var (busy, together): ([ContinuousClock.Instant], [ContinuousClock.Instant]) = ([], [])
    for millisecond in 0..<5000 {
      let now = start + .milliseconds(millisecond)
      let isOther = millisecond % 500 == 250
      let received = lanes.take([notice(isOther ? [1, 2] : [1])], at: now)
      #expect(received.alone?.contains(2) == isOther)
      if received.alone?.contains(1) == true { busy.append(now) }
      if received.together != [] { together.append(now) }
    }
    #expect(isPaced(busy) && isPaced(together))
    #expect(busy.count >= 75 && together.count >= 75, "and no fewer than fifteen")
  }

  /// Whatever comes: every change passes, once and in time, and nothing passes that has not changed.
  @Test("no change is left out", arguments: 0..<20)
  func law(seed: UInt64) {
    var random = SeededGenerator(seed: seed)
    var lanes = ChangeThrottle()
    var now = start
    var (alone, together): (Set<Int64>, Set<Int64>) = ([], [])
    var times: [ContinuousClock.Instant] = []
    for _ in 0..<2000 {
      var notices: [RevisionNotice] = []
      for _ in 0..<Int.random(in: 0...2, using: &random) {
        if Int.random(in: 0..<50, using: &random) == 0 {
          notices.append(notice(nil))
        } else {
          let count = Int.random(in: 0...3, using: &random)
          notices.append(notice((0..<count).map { _ in .random(in: 0...5, using: &random) }))
        }
      }
      for location in notices.flatMap({ $0.locations ?? [0, 1, 2, 3, 4, 5] }) {
        alone.insert(location)
        together.insert(location)
      }
      let received = lanes.take(notices, at: now)
      if let reported = received.alone {
        #expect(alone.isSuperset(of: reported))
        alone.subtract(reported)
      } else {
        alone = []
      }
      if received.together != [] { times.append(now) }
      if let reported = received.together {
        #expect(reported.isEmpty || together.isSuperset(of: reported))
        together.subtract(reported)
      } else {
        together = []
      }
      if let due = lanes.due(after: now) {
        #expect(due - now <= .milliseconds(67))
      } else {
        #expect(alone.isEmpty && together.isEmpty)
      }
      now += .milliseconds(Int.random(in: 0..<40, using: &random))
    }
    #expect(isPaced(times))
  }

  @Test("more busy locations than have a rate of their own pass together with all")
  func bounded() {
    var lanes = ChangeThrottle()
    let all = (0..<Int64(ChangeThrottle.limit) + 10).map(\.self)
    for round in 0..<20 {
      let received = lanes.take([notice(all)], at: start + .milliseconds(round))
      #expect(received.alone.map { Set($0).isDisjoint(with: all.suffix(10)) } == (received.together == []))
    }
  }
}
