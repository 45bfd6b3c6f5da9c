@testable import CountStore
import Counting
import Postgres
import TestSupport
import Testing

@Suite("a dry run of retention shows what the run then does")
struct RetentionPlanTests {
  private typealias F = RollupFixture

  /// Detections of 100 days at two locations, dead letters and quarantined events of nine.
  private func fill(_ fixture: F) throws {
    let today = try fixture.today()
    var seen: [(location: Int64, item: String, at: Int64)] = []
    for at in stride(from: today - 100 * F.day, to: today, by: Int(5 * F.hour + 7 * F.minute)) {
      seen.append((location: at / F.hour % 2 + 1, item: "item \(at / F.minute % 3)", at: at))
    }
    try fixture.count(seen)
    try fixture.connection.run(
      script: """
        UPDATE detection SET ingested_at = detected_at;
        INSERT INTO dead_letter SELECT 't', 0, n, 'empty', NULL, '', 0, NULL, now() - n * interval '1 day'
        FROM generate_series(0, 9) AS n;
        INSERT INTO quarantine
        SELECT 't', 0, n, 'late', n, 1, 1, 'a', now() - n * interval '2 days', now() - n * interval '1 day'
        FROM generate_series(0, 9) AS n;
        """
    )
  }

  @Test(
    "folds, floor, partitions, rows, keys, dead letters and quarantined events, whatever the settings",
    arguments: [300, 3600, 2 * 86_400, 7 * 86_400, 20 * 86_400] as [Int64],
    [1, 40, 365] as [Int64]
  )
  func plan(horizon: Int64, hoursDays: Int64) throws {
    var policy = RetentionPolicy()
    policy.dedupHorizon = horizon
    policy.minutes = horizon
    policy.hours = hoursDays * 86_400
    policy.deadLetters = 3 * 86_400 + 60
    policy.quarantine = 5 * 86_400 + 60
    try F.with(horizonDays: 110) { fixture throws in
      try fill(fixture)
      let store = fixture.store
      // A run makes the partitions that are missing before all else.
      let minutes = try store.retentionState().partitions.filter { $0.parent == "window_count" }
      let missing = try #require(minutes.last?.name)
      try fixture.connection.run(script: "DROP TABLE \(missing)")
      let now = try fixture.now()
      let state = try store.retentionState(now: now.time)
      let plan = try store.planRetention(policy, now: state.now)
      #expect(try store.retentionState(now: state.now) == state, "a plan changes nothing")
      #expect(plan.made.contains(missing))
      #expect(plan.folds.map(\.level) == RollupLevel.allCases)
      #expect(plan.dropped.count > 75 && plan.keys.rows > 300 && plan.deadLetters.rows == 6)
      #expect(plan.quarantine.rows == 4)

      // The run's first step by itself, so that what the others destroy can still be counted.
      let target = now.limited(to: state.foldTarget(policy))
      for fold in plan.folds {
        let done = try #require(try store.fold(fold.level, until: target))
        #expect(done.to == fold.until && Int64(done.rows) == fold.rows, "\(fold)")
      }
      for partition in plan.dropped {
        let rows = try fixture.base.number("SELECT count(*) FROM \(identifier: partition.name)")
        #expect(rows == partition.rows, "\(partition)")
        #expect(partition.bytes > 0)
      }
      let keys = try fixture.base.number("SELECT count(*) FROM detection")

      var retention = Retention(policy)
      let report = try retention.run(on: fixture.connection, at: now)
      #expect(report.floor == plan.floor)
      #expect(report.droppedPartitions.sorted() == plan.dropped.map(\.name).sorted())
      #expect(Int64(report.purgedDetections) == plan.keys.rows)
      #expect(try fixture.base.number("SELECT count(*) FROM detection") == keys - plan.keys.rows)
      #expect(Int64(report.purgedDeadLetters) == plan.deadLetters.rows)
      #expect(Int64(report.purgedQuarantine) == plan.quarantine.rows)
      try fixture.compare(.between(nil, nil), location: nil)

      // And what a run leaves is nothing to do.
      var next = try store.planRetention(policy, now: state.now)
      next.made = []  // midnight may have passed
      #expect(next.isEmpty, "\(next)")
    }
  }

  @Test("what an interrupted run has retired and not dropped is part of the plan")
  func interrupted() throws {
    var policy = RetentionPolicy()
    policy.minutes = 86_400
    policy.dedupHorizon = 86_400
    try F.with(horizonDays: 20) { fixture throws in
      let store = fixture.store
      try fixture.count([(1, "a", try fixture.today() - 10 * F.day)])
      let now = try fixture.now()
      for level in RollupLevel.allCases {
        let target = try store.retentionState(now: now.time).foldTarget(policy)
        _ = try store.fold(level, until: now.limited(to: target))
      }
      _ = try store.raiseFloor(policy, at: now)
      let retired = try store.retirePartitions(policy, at: now)
      // One is detached already, as if the run had ended there.
      let first = try #require(retired.first)
      try fixture.connection.run(script: "ALTER TABLE window_count DETACH PARTITION \(first)")
      let plan = try store.planRetention(policy)
      #expect(plan.dropped.map(\.name).sorted() == retired.sorted())
      var retention = Retention(policy)
      #expect(
        try retention.run(on: fixture.connection, at: now).droppedPartitions.sorted() == retired.sorted()
      )
      #expect(try store.planRetention(policy).dropped == [])
    }
  }
}
