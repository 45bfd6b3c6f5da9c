import CountStore
import Counting
import Kafka
import Locks
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

  @Test("where the release before has counted, a horizon of less than half of what is in use is not stored")
  func slipAtUpgrade() throws {
    try F.with(horizonDays: 30) { fixture throws in
      let settled = try fixture.store.settleRetention(change([.dedupHorizon: 1, .minutes: 3 * Self.day]))
      #expect(settled.minutes == 3 * Self.day)
      #expect(settled.dedupHorizon >= 30 * Self.day && settled.dedupHorizon <= 30 * Self.day + 7200)
    }
    try F.with(horizonDays: 30) { fixture throws in
      #expect(
        try fixture.store.settleRetention(change([.dedupHorizon: 16 * Self.day])).dedupHorizon == 16
          * Self.day
      )
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

  @Test("any shorter horizon that deletes keys now needs a confirmation, and tells how many")
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

  @Test("a running worker goes by the stored settings, tells them, and takes up a change at its next run")
  func running() throws {
    try F.with(horizonDays: 30) { fixture throws in
      _ = try fixture.store.settleRetention(change([.dedupHorizon: 30 * Self.day, .minutes: 30 * Self.day]))
      var options = IngestionOptions(
        database: ConnectionOptions(url: fixture.base.url),
        topics: ["unused"],
        kafka: Configuration(brokers: "127.0.0.1:1")
      )
      options.retention = change([.dedupHorizon: 1, .minutes: 30 * Self.day])
      let told = Lock<[(RetentionPolicy, [RetentionSetting])]>([])
      let maintenance = Maintenance(
        options,
        pause: 50,
        isStopping: { false },
        observe: { observation in
          if case .retention(let policy, let given) = observation {
            told.withLock { $0.append((policy, given.differing(from: policy))) }
          }
        }
      )
      maintenance.start()
      try waitUntil("the stored settings are told") { told.withLock { $0.count } == 1 }
      let first = told.withLock { $0[0] }
      #expect(first.0.dedupHorizon == 30 * Self.day && first.1 == [.dedupHorizon])
      func floor() throws -> Int64 {
        try fixture.base.number(
          "SELECT extract(epoch FROM now() - floor_at)::bigint / 86400 FROM dedup_floor"
        )
      }
      #expect(try floor() == 30)

      _ = try fixture.store.changeRetention(change([.dedupHorizon: 16 * Self.day]), isConfirmed: true)
      try waitUntil("the floor is where the new settings want it", within: .seconds(30)) { try floor() == 16 }
      #expect(told.withLock { $0.count } == 2)
      #expect(told.withLock { $0[1].0.dedupHorizon } == 16 * Self.day)
      #expect(maintenance.stop(waiting: 5000))
    }
  }
}
