import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("PostgreSQL restarts under load")
  struct DatabaseRestartTests {
    @Test("the worker survives crashes of PostgreSQL, catches up, and counts exactly")
    func restart() throws {
      let cluster = try PostgresCluster()
      defer { cluster.remove() }
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running())
      try deployment.migrate()
      let truthFile = try TemporaryFile("truth")
      let worker = try deployment.worker(sessionMilliseconds: 2500)
      let simulator = try deployment.simulator(["--rate", "4000"], truth: truthFile)
      try worker.waitForErrors(containing: committed, within: .seconds(30))
      for pause in [0.2, 1, 2.5] {
        try cluster.stop(.immediate)
        Thread.sleep(forTimeInterval: pause)
        try cluster.start()
        let connection = try deployment.connect()
        let before = try deployment.accountedFor(connection)
        var reached = before
        try worker.waitUntil(within: .seconds(30), "it goes on", seen: { "\(reached) messages" }) {
          reached = try deployment.accountedFor(connection)
          return reached > before + 2000
        }
      }
      // Crashes take longer on a busy machine: the stream ends after them, whenever that is.
      simulator.signal(15)
      #expect(try simulator.wait(within: .seconds(60)) == .exited(0), "\(simulator.story)")
      let truth = try TruthFile(truthFile.path)
      let connection = try deployment.connect()
      var reached: Int64 = 0
      try worker.waitUntil(within: .seconds(30), "it has caught up", seen: { "\(reached) messages" }) {
        reached = try deployment.accountedFor(connection)
        return reached == truth.summary.messages
      }
      #expect(worker.errors.contains("retrying"))
      // The same process all the time: a worker that had ended would have failed the waits above.
      #expect(worker.isRunning)
      worker.signal(15)
      #expect(try worker.wait(within: .seconds(10)) == .exited(0), "\(worker.story)")
      // Dead letters beyond the malformed messages of the stream would be among these.
      #expect(try truth.differences(deployment.connect()) == [])
    }
  }
}
