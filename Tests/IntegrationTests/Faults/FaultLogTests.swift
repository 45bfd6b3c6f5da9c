import CountStore
import Foundation
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 15 to 17: the stored offset and the topic's log do not fit together.
  @Suite("Logs") struct LogTests {
    enum BrokerKind: String, CaseIterable { case tansu, mock }

    @Test(
      "where the log ends below the stored offset, that partition halts with the reason, and the others go on",
      arguments: BrokerKind.allCases
    )
    func shorterLog(kind: BrokerKind) async throws {
      try await onOwnThread { findings in
        try Self.with(kind) { fixture in
          let store = try fixture.connect()
          _ = try store.execute(
            "INSERT INTO ingest_offset (topic, partition, next_offset, epoch, counted) VALUES (\(fixture.topic), 0, 100, 1, 100)"
          )
          for number in 0..<60 { try fixture.send(fixture.event(), partition: number < 30 ? 0 : 1) }
          try fixture.flush()
          let worker = FaultWorker(fixture.options())
          try worker.wait("partition 0 halts") { !$0.halts.isEmpty }
          try worker.wait("partition 1 is counted") { _ in
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 30
          }
          // More comes, also beyond the stored offset: the partition stays where it is.
          for number in 0..<200 { try fixture.send(fixture.event(), partition: Int32(number % 2)) }
          try fixture.flush()
          try worker.wait("partition 1 goes on") { _ in
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 130
          }
          try worker.stop()
          let halts = worker.halts
          findings.expect(halts.count == 1 && halts.first?.0.partition == 0, "\(halts)")
          findings.expect(halts.first?.1.contains("the topic's log ends at 30") == true, "\(halts)")
          findings.expect(
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 100,
            "the offset was reset"
          )
          var health = IngestionHealth()
          for observation in worker.reported {
            if case .stopped = observation { break }
            health.record(observation)
          }
          let reasons = health.unreadiness(at: .now)
          let namesHalt = reasons.contains {
            if case .halted(let key, _) = $0 { key.partition == 0 } else { false }
          }
          findings.expect(namesHalt, "the worker calls itself ready: \(reasons)")
          findings.expect(health.stall(at: .now) == nil, "a restart would not help")
        }
      }
    }

    @Test("a broker that has lost its topics, created again and shorter: the partition halts")
    func lost() async throws {
      try await onOwnThread { findings in
        try TestDatabase.withDatabase { url in
          let first = try Broker.startPrivate()
          let second = try Broker.startPrivate()
          defer { second.stop() }
          let fixture = try FaultFixture(database: url, broker: first, partitions: 1)
          try fixture.send(300)
          let proxy = try FaultProxy(to: first.address)
          defer { proxy.close() }
          proxy.standInForBroker()
          let worker = FaultWorker(fixture.options(brokers: proxy.address))
          try fixture.waitUntilCounted(worker)

          try second.createTopic(fixture.topic, partitions: 1)
          let other = try FaultFixture(
            database: url,
            brokers: second.address,
            topic: fixture.topic,
            partitions: 1
          )
          try other.send(50)
          try proxy.retarget(to: second.address)
          proxy.standInForBroker()
          proxy.cut()
          first.stop()
          try worker.wait("the partition halts", within: .seconds(30)) { !$0.halts.isEmpty }
          try worker.stop()
          findings.expect(
            try fixture.number("SELECT next_offset FROM ingest_offset") == 300,
            "the offset has moved"
          )
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test(
      "messages that Kafka deleted before they were counted: the loss is recorded, or the partition halts"
    )
    func gap() async throws {
      try await onOwnThread { findings in
        try Self.with(.mock, partitions: 2) { fixture in
          // The mock keeps 5 MB of a partition.
          let padding = String(repeating: "x", count: 60_000)
          for _ in 0..<150 { try fixture.send(fixture.event(padding: padding), partition: 0) }
          for _ in 0..<20 { try fixture.send(fixture.event(), partition: 1) }
          try fixture.flush()
          let connection = try fixture.connect()
          _ = try connection.execute(
            "INSERT INTO ingest_offset (topic, partition, next_offset, epoch, counted) VALUES (\(fixture.topic), 0, 3, 1, 0)"
          )
          var options = fixture.options()
          options.onGap = .halt
          let halting = FaultWorker(options)
          try halting.wait("partition 0 halts") { !$0.halts.isEmpty }
          try halting.wait("partition 1 is counted") { _ in
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 20
          }
          try halting.stop()
          findings.expect(halting.halts.first?.1.contains("--on-gap continue") == true, "\(halting.halts)")
          findings.expect(
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 3,
            "the offset was moved in spite of --on-gap halt"
          )
          findings.expect(try fixture.number("SELECT count(*) FROM offset_gap") == 0, "a gap was recorded")

          options.onGap = .continue
          let going = FaultWorker(options)
          try going.wait("all that is left is counted", within: .seconds(20)) { _ in
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 150
          }
          try going.stop()
          let gaps = going.reported.compactMap { if case .gap(_, let range) = $0 { range } else { nil } }
          findings.expect(gaps.count == 1 && gaps.first?.lowerBound == 3, "gaps \(gaps)")
          let low = gaps.first?.upperBound ?? 0
          findings.expect(low > 3 && low < 150, "the log began at \(low)")
          findings.expect(
            try fixture.number("SELECT sum(to_offset - from_offset)::bigint FROM offset_gap") == low - 3,
            "the gap's row"
          )
          findings.expectNone(
            try Invariants.violations(connection, logStarts: [fixture.topic: [0: 3]]),
            going.story
          )
        }
      }
    }

    @Test(
      "Kafka's retention overtakes a worker that is held up: it goes on at the beginning, with the loss recorded"
    )
    func overtaken() async throws {
      try await onOwnThread { findings in
        try Self.with(.mock, partitions: 2) { fixture in
          var options = fixture.options()
          options.batchMessages = 20
          options.kafka["queued.max.messages.kbytes"] = "1024"
          options.database.settings = [("lock_timeout", "20s")]
          let worker = FaultWorker(options)
          for number in 0..<40 { try fixture.send(fixture.event(), partition: Int32(number % 2)) }
          try fixture.flush()
          try fixture.waitUntilCounted(worker)
          let blocker = try fixture.connect()
          try blocker.begin()
          _ = try blocker.execute("SELECT 1 FROM ingest_offset FOR UPDATE")
          let padding = String(repeating: "x", count: 60_000)
          for _ in 0..<150 { try fixture.send(fixture.event(padding: padding), partition: 0) }
          for _ in 0..<20 { try fixture.send(fixture.event(), partition: 1) }
          try fixture.flush()
          try blocker.commit()
          try worker.wait("all that is left is counted") { _ in
            try fixture.number("SELECT sum(next_offset)::bigint FROM ingest_offset") == 20 + 150 + 40
          }
          try worker.stop()
          let gaps = worker.reported.compactMap { if case .gap(_, let range) = $0 { range } else { nil } }
          // None, where the worker had fetched ahead of the deletion.
          findings.expect(gaps.count <= 1, "gaps \(gaps)\(worker.story)")
          findings.expect(worker.halts.isEmpty, "\(worker.halts)")
          findings.expectNone(try Invariants.violations(fixture.connect()), worker.story)
        }
      }
    }

    @Test(
      "without a stored offset the log is read from its beginning, wherever that is",
      arguments: [false, true]
    )
    func beginning(isTrimmed: Bool) async throws {
      try await onOwnThread { findings in
        try Self.with(.mock, partitions: 1) { fixture in
          let padding = String(repeating: "x", count: isTrimmed ? 60_000 : 1)
          for _ in 0..<150 { try fixture.send(fixture.event(padding: padding), partition: 0) }
          try fixture.flush()
          let worker = FaultWorker(fixture.options())
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          let counted = try fixture.number("SELECT counted FROM ingest_offset")
          findings.expect(isTrimmed ? counted > 0 && counted < 150 : counted == 150, "\(counted)")
          findings.expect(try fixture.number("SELECT count(*) FROM offset_gap") == 0, "a gap")
          findings.expectNone(
            try Invariants.violations(fixture.connect(), logStarts: [fixture.topic: [0: 150 - counted]])
          )
        }
      }
    }

    /// A database and a topic, on a broker of the kind.
    static func with(
      _ kind: BrokerKind,
      partitions: Int32 = 2,
      _ body: (FaultFixture) throws -> Void
    ) throws {
      switch kind {
      case .tansu: try FaultFixture.with(partitions: partitions, body)
      case .mock: try FaultFixture.withMock(partitions: partitions) { fixture, _ in try body(fixture) }
      }
    }
  }
}
