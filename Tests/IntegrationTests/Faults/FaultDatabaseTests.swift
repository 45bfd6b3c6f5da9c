import Foundation
import Glibc
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 5, 8, 9, 10 and 14 on PostgreSQL's side.
  @Suite("PostgreSQL") struct DatabaseTests {
    enum Absence: String, CaseIterable { case refuses, hangs }

    @Test(
      "PostgreSQL away for longer than max.poll.interval: the worker is not evicted, and nothing is lost",
      arguments: Absence.allCases
    )
    func longAbsence(absence: Absence) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          var options = fixture.options(database: proxy.url(fixture.database))
          options.kafka["max.poll.interval.ms"] = "5000"
          // As long as it may be: a broker that is slow to answer heartbeats is not what is tested here.
          options.kafka["session.timeout.ms"] = "5000"
          // So that the next batch is soon full, and the worker has no room for what it polls.
          options.batchMessages = 100
          options.database.answerTimeout = 30
          let worker = FaultWorker(options)
          try fixture.send(300)
          try fixture.waitUntilCounted(worker)
          proxy.set(absence == .refuses ? .refuse : .stall)
          if absence == .refuses { proxy.cut() }
          try fixture.send(2000)
          usleep(12_000_000)
          try worker.requireRunning()
          proxy.set(.forward)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          let evictions = worker.reported.filter {
            if case .revoked(_, let isLost) = $0 { isLost } else { false }
          }
          findings.expect(evictions.isEmpty, "evicted\(worker.story)")
          findings.expect(
            try fixture.number("SELECT count(*) FROM dead_letter") == 0,
            "dead letters for PostgreSQL's absence"
          )
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("a PostgreSQL that hangs while its kernel lives is given up by the time limit, and all is counted")
    func swallowed() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          var options = fixture.options(database: proxy.url(fixture.database))
          options.database.answerTimeout = 2
          options.database.connectTimeout = 2
          let worker = FaultWorker(options)
          try fixture.send(300)
          try fixture.waitUntilCounted(worker)
          proxy.set(.swallow)
          try fixture.send(300)
          try worker.wait("the worker gives the connection up") { !$0.retries.isEmpty }
          proxy.set(.forward)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(
            worker.retries.contains { "\($0)".contains("did not answer within 2 s") },
            "\(worker.retries)"
          )
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test(
      "its session is ended four times a second: nothing is lost or repeated, and it does not reconnect wildly"
    )
    func terminated() async throws {
      let seconds = Double(ProcessInfo.processInfo.environment["FAULT_SECONDS"] ?? "") ?? 6
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          let watch = InvariantWatch(url: fixture.database)
          let worker = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
          try fixture.send(300)
          try fixture.waitUntilCounted(worker)
          var kills: Int64 = 0
          let end = ContinuousClock.now + .seconds(seconds)
          while ContinuousClock.now < end {
            try fixture.send(100)
            usleep(250_000)
            kills += try fixture.endSessions()
          }
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(kills > Int64(seconds), "only \(kills) kills")
          findings.expect(proxy.accepted <= Int(kills) + 5, "\(proxy.accepted) connects for \(kills) kills")
          findings.expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0, "dead letters")
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test(
      "no connection to be had, no right to one for a while, a server that is shut down: tried again with jitter"
    )
    func refused() async throws {
      try await onOwnThread { findings in
        let cluster = try PostgresCluster(
          fsync: false,
          settings: ["max_connections": "12", "superuser_reserved_connections": "6"]
        )
        defer { cluster.remove() }
        let admin = try Connection(ConnectionOptions(url: cluster.url()))
        // A role as an operator would make it: connections for superusers are not for it.
        try admin.run(script: "CREATE ROLE worker LOGIN PASSWORD 'w0rker'")
        try admin.run(script: "CREATE DATABASE topitems OWNER worker")
        let fixture = try FaultFixture(
          database: "postgresql://worker:w0rker@127.0.0.1:\(cluster.port)/topitems",
          broker: Broker.running()
        )
        let worker = FaultWorker(fixture.options())
        try fixture.send(300)
        try fixture.waitUntilCounted(worker)

        func endSessions() throws {
          _ = try admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'worker'"
          )
        }
        // 53300: too many connections, of all and of the role.
        var others: [Connection] = []
        try endSessions()
        var hog = ConnectionOptions(url: fixture.database)
        hog.applicationName = "hog"
        let deadline = ContinuousClock.now + .seconds(10)
        while ContinuousClock.now < deadline, others.count < 20 {
          do { others.append(try Connection(hog)) } catch { break }
        }
        try fixture.send(300)
        try? admin.run(
          script:
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'topitems ingest'"
        )
        try worker.wait("no connection is to be had") { worker in
          while let more = try? Connection(hog) { others.append(more) }
          return worker.retries.contains { "\($0)".contains("connection") }
        }
        for connection in others { connection.close() }
        try fixture.waitUntilCounted(worker)

        try admin.run(script: "ALTER ROLE worker CONNECTION LIMIT 0")
        try endSessions()
        try fixture.send(300)
        try worker.wait("the role has no connection left") { worker in
          worker.retries.contains { "\($0)".contains("too many connections for role") }
        }
        try admin.run(script: "ALTER ROLE worker CONNECTION LIMIT -1")
        try fixture.waitUntilCounted(worker)

        // 57P01: admin shutdown; 57P03: cannot connect now.
        admin.close()
        try cluster.stop(.fast)
        try fixture.send(300)
        try cluster.start()
        try fixture.waitUntilCounted(worker)
        try worker.stop()
        findings.expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0, "dead letters")
        findings.expectNone(try fixture.violations(), worker.story)
      }
    }

    @Test(
      "a database that stores another encoding than UTF8 is refused at the start, with what to do",
      arguments: ["LATIN1", "SQL_ASCII"]
    )
    func encoding(name: String) async throws {
      try await onOwnThread { findings in
        try TestDatabase.withDatabase { url in
          let database = "encoding_\(name.lowercased())_\(UInt32.random(in: 0 ... .max))"
          let admin = try Connection(ConnectionOptions(url: url))
          try admin.run(
            script: "CREATE DATABASE \(database) ENCODING '\(name)' LOCALE 'C' TEMPLATE template0"
          )
          defer { try? admin.run(script: "DROP DATABASE \(database) WITH (FORCE)") }
          let other = ["TOPITEMS_DATABASE_URL": TestDatabase.url(url, database: database)]
          let broker = try Broker.running()
          let topic = try broker.createTopic(Broker.uniqueTopic("encoding"), partitions: 1)
          let ingest = ["ingest", "--brokers", broker.address, "--topics", topic, "--group", topic]
          for command in [["migrate"], ingest + ["--kafka", "session.timeout.ms=2500"]] {
            let run = try ProcessRunner.run(command, environment: other)
            findings.expect(run.ending != .exited(0), "\(command) accepted \(name)")
            findings.expect(
              run.errors.contains("is encoded in \(name), UTF8 is needed"),
              "\(command): \(run.errors)"
            )
          }
        }
      }
    }

    @Test("on a newer schema, where one of its tables is a view, an old binary ends and says why")
    func newerSchema() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 1) { fixture in
          try fixture.connect().run(
            script: """
              ALTER TABLE dead_letter RENAME TO dead_letter_2;
              CREATE VIEW dead_letter AS SELECT DISTINCT * FROM dead_letter_2;
              """
          )
          let worker = FaultWorker(fixture.options())
          try fixture.send(Array("not JSON".utf8))
          try fixture.flush()
          do {
            let fates = try worker.value(within: 40)
            findings.expect(false, "it ended well: \(fates)")
          } catch let error as IngestionError {
            findings.expect("\(error)".contains("SQLSTATE 55000"), "\(error)")
          }
          findings.expect(try fixture.accountedFor(fixture.connect()) == 0, "something was committed")
        }
      }
    }

    enum FullVolume: String, CaseIterable { case tables, writeAheadLog }

    @Test(
      "a full disk, then room again: nothing is passed over, nothing becomes a dead letter, all is counted",
      .enabled(if: SmallVolume.isWanted, "left out, as FAULT_MOUNT=0 says"),
      arguments: FullVolume.allCases
    )
    func fullDisk(volume: FullVolume) async throws {
      try await onOwnThread { findings in
        let small = try SmallVolume(megabytes: volume == .tables ? 6 : 16)
        defer { small.remove() }
        let cluster = try PostgresCluster(
          fsync: false,
          settings: volume == .tables
            ? [:] : ["min_wal_size": "2MB", "max_wal_size": "4MB", "wal_recycle": "off"],
          options: volume == .tables ? [] : ["--wal-segsize=1"]
        )
        defer { cluster.remove() }
        switch volume {
        case .tables:
          let admin = try Connection(ConnectionOptions(url: cluster.url()))
          try admin.run(script: "CREATE TABLESPACE small LOCATION '\(small.folder)'")
          try admin.run(script: "CREATE DATABASE topitems")
          admin.close()
        case .writeAheadLog:
          try Connection(ConnectionOptions(url: cluster.url())).run(script: "CREATE DATABASE topitems")
          try cluster.stop()
          try small.takeOver(cluster.folder + "/data/pg_wal")
          try cluster.start()
        }
        let fixture = try FaultFixture(
          database: cluster.url(database: "topitems"),
          broker: Broker.running()
        )
        if volume == .tables {
          let owner = try fixture.connect()
          try owner.run(
            script:
              "ALTER TABLE detection SET TABLESPACE small; ALTER INDEX detection_pkey SET TABLESPACE small"
          )
        }
        let worker = FaultWorker(fixture.options())
        try fixture.send(2000)
        try fixture.waitUntilCounted(worker)
        try small.fill()
        try fixture.send(20_000)
        try worker.wait("the full disk is met", within: .seconds(40)) { worker in
          worker.retries.contains {
            volume == .tables ? $0.sqlState?.rawValue == "53100" : $0.kind != .server
          }
        }
        usleep(1_000_000)
        try worker.requireRunning()
        try small.free()
        if volume == .writeAheadLog {
          // A PANIC ends the server, unless its own restart has succeeded by now.
          try? cluster.stop(.immediate)
          try cluster.start()
        }
        try fixture.waitUntilCounted(worker)
        try worker.stop()
        findings.expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0, "dead letters")
        findings.expectNone(try fixture.violations(), worker.story)
      }
    }
  }
}
