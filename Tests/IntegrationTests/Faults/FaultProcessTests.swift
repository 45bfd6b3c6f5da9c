import Foundation
import Glibc
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 18 and 20 on the built binary: a process can be stopped, a thread of this one cannot.
  @Suite("Processes") struct ProcessTests {
    @Test(
      "a worker stopped inside COPY holds up no other: its session is ended, and continued it writes nothing twice",
      arguments: [Duration?.none, .seconds(2)]
    )
    func stoppedInsideCopy(othersSessionsEndEvery interval: Duration?) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          let watch = InvariantWatch(url: fixture.database)
          let stopped = try Self.start(fixture, database: proxy.url(fixture.database))
          defer { stopped.end() }
          try fixture.send(1000)
          try fixture.waitUntilCounted()
          let connection = try fixture.connect()
          let pid = try Self.stopInsideCopy(stopped, fixture, proxy, connection)

          let other = FaultWorker(fixture.options())
          var nextEnd = ContinuousClock.now
          try other.wait("it ends the stopped one's session", within: .seconds(60)) {
            if let interval, ContinuousClock.now >= nextEnd {
              // Before a claim that waits has waited for as long as `lock_timeout`.
              nextEnd = .now + interval
              try Self.endSessions(but: pid, connection)
            }
            return $0.endedBlockers.contains(pid)
          }
          try fixture.waitUntilCounted(other)
          findings.expectNone(try fixture.violations(), other.story)

          proxy.delay(milliseconds: 0)
          stopped.signal(SIGCONT)
          try fixture.send(2000)
          try fixture.waitUntilCounted(other)
          try stopped.waitForErrors(containing: "retrying", within: .seconds(20))
          stopped.signal(SIGTERM)
          let ending = try stopped.wait(within: .seconds(15))
          findings.expect(ending == .exited(0), "\(ending)\(stopped.story)")
          try fixture.waitUntilCounted(other)
          try other.stop()
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), other.story)
        }
      }
    }

    @Test("a worker stopped between its batches for longer than its session: what it had read is not written")
    func stoppedBetweenBatches() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let watch = InvariantWatch(url: fixture.database)
          let stopped = try Self.start(fixture, database: fixture.database)
          defer { stopped.end() }
          try fixture.send(1000)
          try fixture.waitUntilCounted()
          stopped.signal(SIGSTOP)
          // It finds these in its socket when it goes on.
          try fixture.send(1000)
          let other = FaultWorker(fixture.options())
          try fixture.waitUntilCounted(other)
          stopped.signal(SIGCONT)
          for _ in 0..<10 {
            try fixture.send(200)
            usleep(200_000)
          }
          try fixture.waitUntilCounted(other)
          stopped.signal(SIGTERM)
          let ending = try stopped.wait(within: .seconds(15))
          findings.expect(ending == .exited(0), "\(ending)\(stopped.story)")
          try fixture.waitUntilCounted(other)
          try other.stop()
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), other.story)
        }
      }
    }

    @Test("a worker whose group.instance.id another worker has taken exits with 1 and says why")
    func fenced() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock { fixture, cluster in
          let worker = try Self.start(
            fixture,
            database: fixture.database,
            options: ["--kafka", "group.instance.id=hall-1"]
          )
          defer { worker.end() }
          try fixture.send(300)
          try fixture.waitUntilCounted()
          cluster.fail(.heartbeat, with: [.fencedInstanceID])
          let ending = try worker.wait(within: .seconds(20))
          findings.expect(ending == .exited(1), "\(ending)\(worker.story)")
          findings.expect(worker.errors.contains("FENCED_INSTANCE_ID"), worker.story)
          findings.expectNone(try fixture.violations())
        }
      }
    }

    static func start(_ fixture: FaultFixture, database: String, options: [String] = []) throws
      -> ProcessRunner
    {
      try ProcessRunner(
        [
          "ingest", "--topics", fixture.topic, "--group", fixture.group, "--log-level", "debug",
          "--kafka", "session.timeout.ms=2500", "--kafka", "heartbeat.interval.ms=500",
        ] + options,
        environment: ["TOPITEMS_DATABASE_URL": database, "TOPITEMS_BROKERS": fixture.brokers]
      )
    }

    static func endSessions(but pid: Int32, _ connection: Connection) throws {
      _ = try connection.execute(
        """
        SELECT pg_terminate_backend(pid) FROM pg_stat_activity
        WHERE application_name LIKE 'topitems ingest%' AND datname = current_database() AND pid <> \(pid)
        """
      )
    }

    /// Stops the worker while it is inside COPY, and stays there.
    /// - Returns: the process id of its session.
    static func stopInsideCopy(
      _ worker: ProcessRunner,
      _ fixture: FaultFixture,
      _ proxy: FaultProxy,
      _ connection: Connection
    ) throws -> Int32 {
      func copying() throws -> Int32? {
        let result = try connection.execute(
          """
          SELECT pid FROM pg_stat_activity
          WHERE datname = current_database() AND query LIKE 'COPY detection%' AND state = 'active'
            AND wait_event = 'ClientRead'
          """
        )
        return result.count > 0 ? try result.int32(0, 0) : nil
      }
      // A COPY is over in a millisecond; slowed down it can be met. Small batches do without one.
      proxy.delay(milliseconds: 100)
      for _ in 0..<20 {
        try fixture.send(5000)
        var met: Int32?
        guard
          try holds(
            within: .seconds(3),
            {
              met = try copying()
              return met != nil
            }
          ), let pid = met
        else { continue }
        worker.signal(SIGSTOP)
        // What is on its way through the proxy may still end the COPY.
        usleep(400_000)
        if try copying() == pid { return pid }
        worker.signal(SIGCONT)
      }
      throw TestSupportError("the worker was never met inside COPY\(worker.story)")
    }
  }
}
