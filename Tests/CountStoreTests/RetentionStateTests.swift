import Counting
import Testing

@testable import CountStore

@Suite("what retention decides")
struct RetentionStateTests {
  private static let never = Timestamp(rfc3339: "0001-01-01T00:00:00Z") ?? Timestamp(microseconds: 0)

  private func time(_ text: String) throws -> Timestamp { try #require(Timestamp(rfc3339: text)) }

  /// A system at noon of 15 March whose levels are folded up to the last midnight.
  private func state() throws -> RetentionState {
    let midnight = try time("2026-03-15T00:00:00Z")
    let mark = RollupMark(foldedUntil: midnight, foldingUntil: midnight)
    let month = RollupMark(
      foldedUntil: try time("2026-03-01T00:00:00Z"),
      foldingUntil: try time("2026-03-01T00:00:00Z")
    )
    return RetentionState(
      now: try time("2026-03-15T12:00:00Z"),
      watermark: try time("2026-03-15T11:59:00Z"),
      floor: try time("2026-03-08T12:00:00Z"),
      marks: RollupMarks(hour: mark, day: mark, month: month),
      minutesKeptFrom: Self.never,
      hoursKeptFrom: Self.never,
      partitions: []
    )
  }

  @Test("levels are folded behind the watermark, and behind the clock by a day at most")
  func foldTarget() throws {
    var state = try state()
    #expect(state.foldTarget(RetentionPolicy()) == (try time("2026-03-15T11:54:00Z")))
    state.watermark = try time("2026-03-01T00:00:00Z")
    #expect(state.foldTarget(RetentionPolicy()) == (try time("2026-03-14T11:55:00Z")))
    state.watermark = nil
    #expect(state.foldTarget(RetentionPolicy()) == (try time("2026-03-14T11:55:00Z")))
    state.watermark = try time("2026-03-15T12:04:00Z")
    #expect(state.foldTarget(RetentionPolicy()) == (try time("2026-03-15T11:55:00Z")))
  }

  @Test("a fold goes up to whole units of what the finer level covers, or as far as one that was interrupted")
  func foldEnd() throws {
    var marks = try state().marks
    let noon = try time("2026-03-15T12:34:00Z")
    #expect(marks.foldEnd(.hour, until: noon) == (try time("2026-03-15T12:00:00Z")))
    #expect(marks.foldEnd(.day, until: noon) == nil)
    let next = try time("2026-03-17T05:00:00Z")
    #expect(marks.foldEnd(.day, until: next) == nil, "the hours are not there yet")
    marks.fold(.hour, until: next)
    #expect(marks.foldEnd(.day, until: next) == (try time("2026-03-17T00:00:00Z")))
    #expect(marks.foldEnd(.month, until: next) == nil)
    marks.month.foldingUntil = try time("2026-04-01T00:00:00Z")
    #expect(marks.foldEnd(.month, until: noon) == (try time("2026-04-01T00:00:00Z")))
  }

  @Test("no partition above the floor goes, although minutes and hours are kept from a later time")
  func aboveTheFloor() throws {
    var state = try state()
    func partition(_ parent: String, _ start: String, _ stop: String) throws -> RetentionState.Partition {
      RetentionState.Partition(
        name: "\(parent)_\(start)",
        parent: parent,
        start: try time(start),
        stop: try time(stop)
      )
    }
    let days = ["2026-02-09", "2026-02-10", "2026-02-11"]
    state.partitions = try zip(days, days.dropFirst()).map { start, stop in
      try partition("window_count", "\(start)T00:00:00Z", "\(stop)T00:00:00Z")
    }
    state.partitions += [
      try partition("window_count_hour", "2026-01-01T00:00:00Z", "2026-02-01T00:00:00Z"),
      try partition("window_count_hour", "2026-02-01T00:00:00Z", "2026-03-01T00:00:00Z"),
    ]
    let kept = (minutes: try time("2026-03-08T00:00:00Z"), hours: try time("2026-03-01T00:00:00Z"))
    #expect(state.partitions(before: kept).count == 4)
    // An operator has moved the floor down, to count events of that time.
    state.floor = try time("2026-02-10T12:00:00Z")
    #expect(
      state.partitions(before: kept).map(\.name) == [
        "window_count_2026-02-09T00:00:00Z", "window_count_hour_2026-01-01T00:00:00Z",
      ]
    )
    state.floor = nil
    #expect(state.partitions(before: kept) == [])
  }

  @Test("the floor rises by steps, and never falls")
  func floor() throws {
    var state = try state()
    var policy = RetentionPolicy()
    #expect(state.floorDue(policy) == nil, "it is where it is due")
    state.now = try time("2026-03-15T12:59:59Z")
    #expect(state.floorDue(policy) == nil)
    state.now = try time("2026-03-15T13:00:01Z")
    #expect(state.floorDue(policy) == (try time("2026-03-08T13:00:01Z")))
    policy.dedupHorizon *= 2
    #expect(state.floorDue(policy) == nil)
    policy.dedupHorizon = 1
    #expect(state.floorDue(policy) == (try time("2026-03-15T13:00:00Z")))
    state.floor = nil
    #expect(state.floorDue(policy) == nil)
  }

  @Test(
    "minutes go by whole days below floor and hours' mark, hours by whole months below the days' mark and the minutes"
  )
  func keptFrom() throws {
    var state = try state()
    var policy = RetentionPolicy()
    var kept = try #require(state.keptFromDue(policy))
    #expect(kept.minutes == (try time("2026-03-08T00:00:00Z")))
    #expect(kept.hours == (try time("2025-03-01T00:00:00Z")))
    policy.minutes = 86_400
    policy.hours = 86_400
    kept = try #require(state.keptFromDue(policy))
    #expect(kept.minutes == (try time("2026-03-08T00:00:00Z")), "the floor is there")
    #expect(kept.hours == (try time("2026-03-01T00:00:00Z")))
    state.floor = try time("2026-03-15T11:00:00Z")
    state.marks.hour.foldedUntil = try time("2026-03-10T05:00:00Z")
    policy.dedupHorizon = 3600
    kept = try #require(state.keptFromDue(policy))
    #expect(kept.minutes == (try time("2026-03-10T00:00:00Z")), "the hours are not")
    (state.minutesKeptFrom, state.hoursKeptFrom) = kept
    #expect(state.keptFromDue(policy) == nil)
    policy.minutes = 30 * 86_400
    #expect(state.keptFromDue(policy) == nil, "what is dropped does not come back")
  }

  @Test("a partition goes when all of it is older than what is kept of its level")
  func partitions() throws {
    var state = try state()
    func partition(_ parent: String, _ stop: String) throws -> RetentionState.Partition {
      RetentionState.Partition(name: "\(parent) \(stop)", parent: parent, start: nil, stop: try time(stop))
    }
    state.partitions = [
      try partition("window_count_hour", "2026-02-01T00:00:00Z"),
      try partition("window_count_hour", "2026-03-01T00:00:00Z"),
      try partition("window_count", "2026-03-07T00:00:00Z"),
      try partition("window_count", "2026-03-08T00:00:00Z"),
      try partition("window_count", "2026-03-09T00:00:00Z"),
    ]
    let going = state.partitions(
      before: (minutes: try time("2026-03-08T00:00:00Z"), hours: try time("2026-02-01T00:00:00Z"))
    )
    #expect(going == [state.partitions[0], state.partitions[2], state.partitions[3]])
  }

  @Test("the longest times do not trap")
  func ends() throws {
    var policy = RetentionPolicy()
    for setting in RetentionSetting.allCases {
      policy = RetentionChange([setting: .seconds(1000 * 366 * 86_400)]).applied(to: policy)
    }
    let state = try state()
    #expect(state.floorDue(policy) == nil)
    #expect(try #require(state.keptFromDue(policy)).minutes < (try time("1100-01-01T00:00:00Z")))
    #expect(state.now.earlier(by: .max) == Timestamp(microseconds: .min))
  }
}
