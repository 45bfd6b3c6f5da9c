import CountStore
import Counting
import Kafka
import Threading
import Postgres
import TestSupport
import Testing

@testable import Ingestion

@Suite("settings of retention belong to the database")
struct RetentionSettingsTests {
  private typealias F = RollupFixture
  private static let day: Int64 = 86_400

  private func change(_ lengths: [RetentionSetting: Int64]) -> RetentionChange {
    RetentionChange(lengths.mapValues { RetentionChange.Length.seconds($0) })
  }

  @Test("the first worker's options are stored, and no later worker's change them")
  func first() throws {
    try CountStoreFixture.with { fixture throws in
      let store = fixture.store
      #expect(try store.storedRetention() == nil)
      let settled = try store.settleRetention(change([.minutes: 30 * Self.day, .deadLetters: 90 * Self.day]))
      #expect(settled.minutes == 30 * Self.day && settled.deadLetters == 90 * Self.day)
      #expect(settled.dedupHorizon == RetentionPolicy().dedupHorizon && settled.quarantine == nil)
      #expect(try store.settleRetention(change([.minutes: Self.day])) == settled)
      #expect(try store.settleRetention(RetentionChange()) == settled)
      let stored = try #require(try store.storedRetention())
      #expect(stored.policy == settled)
      #expect(try fixture.connection.execute("SELECT current_user::text").string(0, 0) == stored.changedBy)
    }
  }

  @Test("of workers that start together with other options, one's are stored, and all go by them")
  func together() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      let workers = (1...8).map { days in
        Background {
          let connection = try CountStoreFixture.connect(url)
          return try CountStore(connection)
            .settleRetention(RetentionChange([.minutes: .seconds(Int64(days) * Self.day)]))
        }
      }
      let settled = try workers.map { try $0.value(within: 30) }
      #expect(Set(settled.map(\.minutes)).count == 1)
      #expect(try fixture.store.storedRetention()?.policy == settled[0])
    }
  }

  @Test(
    "where the release before has counted, no first option is stored by which something goes that it had kept",
    arguments: [
      // The setting, days given, days stored (nil: for ever).
      (RetentionSetting.dedupHorizon, Int64(0), Int64?(30)), (.dedupHorizon, 16, 30), (.dedupHorizon, 30, 30),
      (.dedupHorizon, 45, 45), (.minutes, 1, 40), (.minutes, 30, 40), (.minutes, 40, 40), (.minutes, 50, 50),
      (.hours, 30, 92), (.hours, 90, 92), (.hours, 365, 365), (.deadLetters, 1, nil), (.deadLetters, 9, nil),
      (.deadLetters, 11, 11), (.quarantine, 9, nil), (.quarantine, 11, 11),
    ] as [(RetentionSetting, Int64, Int64?)]
  )
  func slipAtUpgrade(setting: RetentionSetting, given: Int64, stored: Int64?) throws {
    try F.with(horizonDays: 30) { fixture throws in
      // What the release before kept: 30 days of keys, 40 of minutes, 92 of hours, all dead letters and quarantined
      // events.
      let today = try fixture.today()
      try fixture.store.ensurePartitions(from: Timestamp(microseconds: today - 40 * F.day), thoroughly: true)
      try fixture.count([(1, "a", today - 10 * F.day)])
      try fixture.foldAll(until: today)
      try fixture.connection.run(
        script: """
          CREATE TABLE old_hours PARTITION OF window_count_hour
            FOR VALUES FROM (date_trunc('day', now(), 'UTC') - interval '92 days')
            TO (date_trunc('day', now(), 'UTC') - interval '91 days');
          INSERT INTO dead_letter (topic, partition, "offset", reason, payload, payload_bytes, recorded_at)
            VALUES ('t', 0, 0, 'json', '', 0, now() - interval '10 days');
          INSERT INTO quarantine VALUES ('t', 0, 1, 'late', 1, 1, 1, 'a', now() - interval '50 days', now() - interval '10 days')
          """
      )
      let policy = try fixture.store.settleRetention(change([setting: max(1, given * Self.day)]))
      guard let stored else {
        #expect(policy[setting] == nil)
        return
      }
      let seconds = try #require(policy[setting])
      // As given, or what was in use with its rounding to hours and days.
      let slack = given == stored ? 0 : 2 * Self.day
      #expect(seconds >= stored * Self.day - (slack > 0 ? 3600 : 0) && seconds <= stored * Self.day + slack)
      let plan = try fixture.store.planRetention(policy)
      #expect(
        plan.dropped.isEmpty && plan.keys.rows == 0 && plan.deadLetters.rows + plan.quarantine.rows == 0
      )
    }
  }

  @Test(
    "where a fast clock has raised the floor of the release before, the first horizon is the default at least"
  )
  func floorAheadAtUpgrade() throws {
    try F.with { fixture throws in
      try fixture.connection.run(script: "UPDATE dedup_floor SET floor_at = now() + interval '40 days'")
      #expect(try fixture.store.settleRetention(change([.dedupHorizon: 1])).dedupHorizon == 7 * Self.day)
    }
  }

  @Test("a run by command is refused where the options of the release before are not known")
  func commandAtUpgrade() throws {
    try F.with { fixture throws in
      #expect(throws: PostgresError.self) { try fixture.store.retentionForCommand() }
      let settled = try fixture.store.settleRetention(RetentionChange())
      #expect(try fixture.store.retentionForCommand() == settled)
    }
    try CountStoreFixture.with { fixture throws in
      #expect(try fixture.store.retentionForCommand() == RetentionPolicy(), "nothing has been counted yet")
    }
  }

  @Test("a longer time is stored at once")
  func longer() throws {
    try F.with { fixture throws in
      _ = try fixture.store.settleRetention(change([.deadLetters: Self.day]))
      var longer = change([.dedupHorizon: 14 * Self.day, .minutes: 20 * Self.day])
      longer.lengths[.deadLetters] = .forEver
      let report = try fixture.store.changeRetention(longer, isConfirmed: false)
      #expect(report.isStored && !report.needsConfirmation && report.plan == nil)
      #expect(report.changed == [.dedupHorizon, .minutes, .deadLetters])
      #expect(try fixture.store.storedRetention()?.policy == report.new)
      #expect(report.new.deadLetters == nil && report.new.dedupHorizon == 14 * Self.day)
    }
  }

  @Test(
    "a time shorter by more than half needs a confirmation, also where nothing is there to delete",
    arguments: [
      (RetentionSetting.dedupHorizon, Int64(5), true), (.dedupHorizon, 6, false), (.minutes, 5, true),
      (.minutes, 6, false), (.hours, 5, true), (.hours, 6, false), (.deadLetters, 5, true),
      (.quarantine, 5, true), (.quarantine, 6, false),
    ] as [(RetentionSetting, Int64, Bool)]
  )
  func half(setting: RetentionSetting, days: Int64, needs: Bool) throws {
    try CountStoreFixture.with { fixture throws in
      let store = fixture.store
      let all = RetentionSetting.allCases.map { ($0, 12 * Self.day) }
      let before = try store.settleRetention(change(Dictionary(uniqueKeysWithValues: all)))
      // A time of 6 of 12 days and a second less than half.
      let shorter = change([setting: days * Self.day + (needs ? Self.day - 1 : 0)])
      #expect(try store.changeRetention(shorter, isConfirmed: false, dryRun: true).needsConfirmation == needs)
      #expect(try store.storedRetention()?.policy == before, "a dry run changes nothing")
      let report = try store.changeRetention(shorter, isConfirmed: false)
      #expect(report.isStored == !needs && report.halved == (needs ? [setting] : []))
      #expect(try store.storedRetention()?.policy == (needs ? before : report.new))
      #expect(try store.changeRetention(shorter, isConfirmed: true).new == shorter.applied(to: before))
      #expect(try store.storedRetention()?.policy == shorter.applied(to: before))
    }
  }

  @Test("for ever to some time is shorter by more than half")
  func forEver() throws {
    try CountStoreFixture.with { fixture throws in
      _ = try fixture.store.settleRetention(RetentionChange())
      let report = try fixture.store.changeRetention(
        change([.quarantine: 900 * 365 * Self.day]),
        isConfirmed: false
      )
      #expect(report.halved == [.quarantine] && !report.isStored)
    }
  }

  @Test("any shorter horizon that deletes keys now needs a confirmation, and shows how many")
  func deletesNow() throws {
    try F.with(horizonDays: 12) { fixture throws in
      _ = try fixture.store.settleRetention(change([.dedupHorizon: 12 * Self.day, .minutes: 12 * Self.day]))
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 10 * F.day), (1, "b", today - 9 * F.day), (1, "a", today - F.hour)])
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      let shorter = change([.dedupHorizon: 8 * Self.day])
      let refused = try fixture.store.changeRetention(shorter, isConfirmed: false)
      #expect(!refused.isStored && refused.halved == [] && refused.plan?.keys.rows == 2)
      #expect(refused.planBefore?.keys.rows == 0)
      #expect(try fixture.base.number("SELECT count(*) FROM detection") == 3)
      #expect(try fixture.store.storedRetention()?.policy.dedupHorizon == 12 * Self.day)

      let stored = try fixture.store.changeRetention(shorter, isConfirmed: true)
      #expect(stored.isStored)
      var retention = Retention(try fixture.store.settleRetention(RetentionChange()))
      #expect(try retention.run(on: fixture.connection, at: fixture.now()).purgedDetections == 2)
    }
  }

  @Test("where none are stored, all that the first settings delete needs a confirmation")
  func firstSet() throws {
    try F.with(horizonDays: 12) { fixture throws in
      let today = try fixture.today()
      try fixture.count([(1, "a", today - 10 * F.day)])
      try fixture.connection.run(script: "UPDATE detection SET ingested_at = detected_at")
      // These are the defaults; what workers went by is not known.
      let report = try fixture.store.changeRetention(
        change([.dedupHorizon: 7 * Self.day]),
        isConfirmed: false
      )
      #expect(!report.isStored && report.isFirst && report.plan?.keys.rows == 1)
      let kept = change([.dedupHorizon: 20 * Self.day, .minutes: 20 * Self.day])
      #expect(try fixture.store.changeRetention(kept, isConfirmed: false).isStored)
    }
  }

  @Test("a running worker uses the stored settings, logs them, and takes up a change at its next run")
  func running() throws {
    try F.with(horizonDays: 30) { fixture throws in
      _ = try fixture.store.settleRetention(change([.dedupHorizon: 30 * Self.day, .minutes: 30 * Self.day]))
      var options = IngestionOptions(
        database: ConnectionOptions(url: fixture.base.url),
        topics: ["unused"],
        kafka: Configuration(brokers: "127.0.0.1:1")
      )
      options.retention = change([.dedupHorizon: 1, .minutes: 30 * Self.day])
      let reported = Lock<[(RetentionPolicy, [RetentionSetting])]>([])
      let maintenance = Maintenance(
        options,
        pause: 50,
        isStopping: { false },
        observe: { observation in
          if case .retention(let policy, let given) = observation {
            reported.withLock { $0.append((policy, given.differing(from: policy))) }
          }
        }
      )
      maintenance.start()
      try waitUntil("the stored settings are reported") { reported.withLock { $0.count } == 1 }
      let first = reported.withLock { $0[0] }
      #expect(first.0.dedupHorizon == 30 * Self.day && first.1 == [.dedupHorizon])
      func floor() throws -> Int64 {
        try fixture.base.number(
          "SELECT extract(epoch FROM now() - floor_at)::bigint / 86400 FROM dedup_floor"
        )
      }
      #expect(try floor() == 30)

      _ = try fixture.store.changeRetention(change([.dedupHorizon: 16 * Self.day]), isConfirmed: true)
      try waitUntil("the floor is where the new settings want it", within: .seconds(30)) { try floor() == 16 }
      #expect(reported.withLock { $0.count } == 2)
      #expect(reported.withLock { $0[1].0.dedupHorizon } == 16 * Self.day)
      #expect(maintenance.stop(waiting: 5000))
    }
  }
}
