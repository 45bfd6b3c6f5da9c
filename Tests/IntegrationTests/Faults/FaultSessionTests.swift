import Foundation
import Glibc
import Ingestion
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Failures that belong to the session: a worker that stayed on the same one would meet them for ever.
  @Suite("Sessions") struct SessionTests {
    @Test("a failover that leads to a standby, and back: the worker connects again and counts what was sent")
    func standby() async throws {
      try await onOwnThread { findings in
        let primary = try PostgresCluster(fsync: false)
        defer { primary.remove() }
        let standby = try PostgresCluster(standbyOf: primary, port: primary.port)
        defer { standby.remove() }
        try Connection(ConnectionOptions(url: primary.url())).run(script: "CREATE DATABASE topitems")
        let fixture = try FaultFixture(
          database: primary.url(database: "topitems"),
          broker: Broker.running()
        )
        let proxy = try FaultProxy(toPort: primary.port)
        defer { proxy.close() }
        let worker = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
        try fixture.send(300)
        try fixture.waitUntilCounted(worker)
        let onStandby = try Connection(ConnectionOptions(url: standby.url(database: "topitems")))
        try waitUntil("the standby has it all") { try fixture.accountedFor(onStandby) == 300 }
        onStandby.close()

        try proxy.retarget(to: "127.0.0.1:\(standby.port)")
        proxy.cut()
        try fixture.send(300)
        try worker.wait("the standby refuses to be written to") { $0.readOnlyFailures >= 1 }
        let (failures, connections) = (worker.readOnlyFailures, proxy.accepted)
        try worker.wait("it goes on trying", within: .seconds(60)) { $0.readOnlyFailures >= failures + 4 }
        // One for the claim, one that looks for blocking sessions; the maintenance has one now and then.
        let tries = worker.readOnlyFailures - failures
        let opened = proxy.accepted - connections
        findings.expect(opened <= 3 * tries + 5, "\(opened) connections for \(tries) tries\(worker.story)")

        // The sessions with the standby live on: they must be given up all the same.
        try proxy.retarget(to: "127.0.0.1:\(primary.port)")
        try fixture.waitUntilCounted(worker)
        try worker.stop()
        findings.expectNone(try fixture.violations(), worker.story)
      }
    }

    @Test("default_transaction_read_only for a while: once it is off, the same worker counts and maintains")
    func readOnlyForAWhile() async throws {
      try await onOwnThread { findings in
        try TestDatabase.withDatabase { url in
          let fixture = try IngestionFixture(url: url, partitions: 1)
          let database = try fixture.connection.execute("SELECT current_database()::text").string(0, 0)
          try fixture.connection.run(
            script: "ALTER DATABASE \(database) SET default_transaction_read_only = on"
          )
          var options = fixture.options()
          options.allowedSkewSeconds = 2
          let worker = fixture.start(options)
          try worker.wait("neither claims nor maintenance get through", within: .seconds(30)) {
            worker.retries.contains { $0.sqlState?.rawValue == "25006" }
              && worker.observations.contains {
                if case .maintenanceFailed(let error) = $0 {
                  error.sqlState?.rawValue == "25006"
                } else {
                  false
                }
              }
          }
          try fixture.connection.run(script: "ALTER DATABASE \(database) RESET default_transaction_read_only")
          // In 25 s: quarantined by the committer now, and counted by the maintenance when its time has come.
          let now = try fixture.connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
          try fixture.detect(1)
          try fixture.detect(2, at: now + 25_000_000 - fixture.origin)
          try fixture.flush()
          try worker.wait("the first is counted", within: .seconds(40)) {
            try fixture.number("SELECT sum(item_count)::bigint FROM window_count") == 1
          }
          #expect(try fixture.number("SELECT future FROM fate_total") == 1)
          try worker.wait("the future one is released", within: .seconds(60)) {
            try fixture.number("SELECT sum(item_count)::bigint FROM window_count") == 2
          }
          try worker.stop()
          findings.expectNone(try fixture.violations())
        }
      }
    }

    @Test("prepared statements that are gone cost one batch, not one for each statement")
    func forgottenStatements() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 1) { fixture in
          let owner = try fixture.connect()
          try owner.run(
            script: """
              CREATE TABLE hook (remaining integer NOT NULL);
              INSERT INTO hook VALUES (0);
              CREATE FUNCTION forget() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE hook SET remaining = remaining - 1 WHERE remaining > 0;
                IF FOUND THEN EXECUTE 'DEALLOCATE ALL'; END IF;
                RETURN NULL;
              END $$;
              CREATE TRIGGER forget AFTER INSERT ON revision FOR EACH STATEMENT EXECUTE FUNCTION forget();
              """
          )
          let worker = FaultWorker(fixture.options())
          try fixture.send(100)
          try fixture.waitUntilCounted(worker)
          try owner.run(script: "UPDATE hook SET remaining = 1")
          for _ in 0..<3 {
            try fixture.send(100)
            try fixture.waitUntilCounted(worker)
          }
          try worker.stop()
          let failures = worker.retries.filter { $0.sqlState == .invalidStatementName }
          findings.expect(failures.count == 1, "\(failures.count) failures\(worker.story)")
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test(
      "a session that has statements of another session, as behind a pooler, is renewed and ends no worker"
    )
    func foreignStatements() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 1) { fixture in
          let owner = try fixture.connect()
          try owner.run(
            script: """
              CREATE TABLE hook (remaining integer NOT NULL);
              INSERT INTO hook VALUES (0);
              CREATE FUNCTION leave() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
                UPDATE hook SET remaining = remaining - 1 WHERE remaining > 0;
                IF FOUND THEN
                  FOR number IN 1..200 LOOP
                    BEGIN
                      EXECUTE format('PREPARE s%s AS SELECT 1', number);
                    EXCEPTION WHEN duplicate_prepared_statement THEN
                    END;
                  END LOOP;
                END IF;
                RETURN NULL;
              END $$;
              CREATE TRIGGER leave AFTER INSERT ON revision FOR EACH STATEMENT EXECUTE FUNCTION leave();
              """
          )
          var options = fixture.options()
          // So that duplicates reach the database, where the careful path prepares statements of its own.
          options.rememberedDetections = 0
          let worker = FaultWorker(options)
          try fixture.send(100, duplicates: 0)
          try fixture.waitUntilCounted(worker)
          try owner.run(script: "UPDATE hook SET remaining = 1")
          try fixture.send(100, duplicates: 0)
          try fixture.waitUntilCounted(worker)
          try fixture.send(100, duplicates: 0.5)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(
            worker.retries.contains { $0.sqlState?.rawValue == "42P05" },
            "the name was never taken\(worker.story)"
          )
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }
  }
}

extension FaultWorker {
  /// How often a claim or a batch met SQLSTATE 25006.
  fileprivate var readOnlyFailures: Int { retries.count { $0.sqlState?.rawValue == "25006" } }
}
