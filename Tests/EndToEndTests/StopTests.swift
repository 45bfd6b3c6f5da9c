import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// SIGTERM ends a worker within ten seconds, whatever is unreachable.
  @Suite("Workers that are stopped")
  struct StopTests {
    @Test("SIGTERM in the middle of the stream ends with 0 within 10 s, and the next worker loses nothing")
    func midStream() throws {
      try Deployment.with { deployment in
        let truthFile = try TemporaryFile("truth")
        let simulator = try deployment.simulator(["--rate", "4000", "--count", "40000"], truth: truthFile)
        let worker = try deployment.worker(sessionMilliseconds: 2500)
        try worker.waitForErrors(containing: committed, within: .seconds(30))
        #expect(try stopped(worker))
        #expect(worker.errors.contains("stopped"))
        #expect(try simulator.wait(within: .seconds(60)) == .exited(0), "\(simulator.story)")
        try deployment.drain()
        let connection = try deployment.connect()
        #expect(try TruthFile(truthFile.path).differences(connection) == [])
      }
    }

    @Test("SIGTERM while the broker is away ends within 10 s", arguments: [SIGKILL, SIGSTOP])
    func brokerAway(signal: Int32) throws {
      let broker = try Broker.startPrivate()
      defer { broker.signal(SIGCONT) }
      try TestDatabase.withDatabase { url in
        let deployment = try Deployment(databaseURL: url, broker: broker)
        try deployment.migrate()
        try deployment.send(["a", "b", "c"])
        let worker = try deployment.worker(sessionMilliseconds: 2500)
        try worker.waitForErrors(containing: committed, within: .seconds(30))
        broker.signal(signal)
        usleep(500_000)
        #expect(try stopped(worker))
        let connection = try deployment.connect()
        #expect(try deployment.accountedFor(connection) == 3)
      }
    }

    @Test(
      "SIGTERM while PostgreSQL is away ends within 10 s, and what was in hand is counted by the next worker"
    )
    func databaseAway() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running())
      try deployment.migrate()
      try deployment.send(["a"])
      let worker = try deployment.worker(sessionMilliseconds: 2500)
      try worker.waitForErrors(containing: committed, within: .seconds(30))
      try cluster.stop(.immediate)
      try deployment.send(["b", "c"])
      try worker.waitForErrors(containing: "retrying", within: .seconds(30))
      #expect(try stopped(worker))
      try cluster.start()
      try deployment.drain()
      let connection = try deployment.connect()
      #expect(try deployment.accountedFor(connection) == 3)
      let counted = try connection.execute("SELECT sum(item_count)::bigint FROM window_count")
      #expect(try counted.int64(0, 0) == 3)
    }

    /// Sends SIGTERM: whether the worker ends with 0 within 10 s.
    private func stopped(_ worker: ProcessRunner) throws -> Bool {
      let began = ContinuousClock.now
      worker.signal(SIGTERM)
      let ending = try worker.wait(within: .seconds(20))
      let time = ContinuousClock.now - began
      if ending == .exited(0), time < .seconds(10) { return true }
      Issue.record("\(worker.name): \(ending) after \(time)\(worker.story)")
      return false
    }
  }
}
