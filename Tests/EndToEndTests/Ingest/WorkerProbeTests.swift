import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems ingest, probed")
  struct WorkerProbeTests {
    /// A worker whose probes are asked.
    private struct Probed {
      let process: ProcessRunner
      let client: HTTPClient

      init(_ deployment: Deployment, environment: [String: String?] = [:], topic: String? = nil) throws {
        let listen = ["--metrics-listen", "127.0.0.1:0"]
        if let topic {
          process = try ProcessRunner(
            ["ingest", "--topics", topic, "--group", deployment.topic] + listen,
            environment: deployment.environment
          )
        } else {
          process = try deployment.worker(listen, environment: environment)
        }
        var port: UInt16?
        try process.waitUntil(within: .seconds(20), "it listens") { [process] in
          guard let match = process.errors.firstMatch(of: /probes are at http:\/\/127\.0\.0\.1:([0-9]+)/)
          else { return false }
          port = UInt16(match.1)
          return true
        }
        client = HTTPClient(port: try #require(port))
      }

      func wait(
        _ what: String,
        within limit: Duration = .seconds(60),
        _ status: Int,
        saying text: String = ""
      ) throws {
        try process.waitUntil(within: limit, what) {
          let answer = try client.get("/readyz")
          return answer.status == status && (text.isEmpty || answer.text.contains(text))
        }
      }

      func figure(_ line: String) throws -> Bool {
        try client.get("/metrics").text.split(separator: "\n").contains(Substring(line))
      }
    }

    @Test(
      "while PostgreSQL is away or frozen the worker is not ready and says why, and it is not to be started again"
    )
    func database() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running())
      try deployment.migrate()
      let worker = try Probed(deployment)
      defer { worker.process.signal(SIGKILL) }
      try worker.wait("it reads", 200)
      #expect(try worker.client.get("/healthz").status == 200)
      try worker.process.waitUntil(within: .seconds(20), "its figures") {
        try worker.figure("topitems_database_up 1") && worker.figure("topitems_reading_partitions 4")
      }
      try cluster.stop(.immediate)
      try worker.wait("it is not ready", 503, saying: "PostgreSQL has not done what it was asked for")
      #expect(try worker.client.get("/healthz").status == 200)
      #expect(try worker.figure("topitems_database_up 0") && worker.figure("topitems_ready 0"))
      try cluster.start()
      try worker.wait("it reads again", 200)
      try cluster.freeze()
      defer { cluster.thaw() }
      try worker.wait("it is not ready", 503, saying: "PostgreSQL has not done what it was asked for")
      #expect(try worker.client.get("/healthz").status == 200)
      cluster.thaw()
      try worker.wait("it reads again", within: .seconds(90), 200)
      worker.process.signal(SIGTERM)
      #expect(try worker.process.wait(within: .seconds(15)) == .exited(0))
    }

    @Test("while no broker can be reached the worker is not ready and says why, and its lag is absent")
    func broker() throws {
      try Deployment.with { deployment in
        let worker = try Probed(
          deployment,
          environment: ["TOPITEMS_BROKERS": "127.0.0.1:\(try FreePort.take())"]
        )
        defer { worker.process.signal(SIGKILL) }
        try worker.wait("it is not ready", 503, saying: "no broker has answered for")
        #expect(try worker.client.get("/healthz").status == 200)
        let page = try worker.client.get("/metrics").text
        #expect(page.contains("topitems_broker_up 0\n") && !page.contains("topitems_lag_messages{"))
        // A server distinguishes it from a quiet night.
        let server = try APIServer(databaseURL: deployment.databaseURL)
        defer { server.process.signal(SIGKILL) }
        try server.process.waitUntil(within: .seconds(40), "it is delayed") {
          let status = try server.client.get("/v1/status").json()["freshness"] as? [String: Any]
          return status?["state"] as? String == "delayed"
        }
        try server.process.waitUntil(within: .seconds(20), "answers say so") {
          try server.client.get("/v1/top-items").text.contains(#""freshness":{"state":"delayed""#)
        }
        #expect(try server.client.get("/metrics").text.contains(#"topitems_freshness{state="delayed"} 1"#))
        worker.process.signal(SIGTERM)
        #expect(try worker.process.wait(within: .seconds(15)) == .exited(0))
        try server.process.waitUntil(within: .seconds(20), "answers say that it has stopped") {
          try server.client.get("/v1/top-items").text.contains(#""freshness":{"state":"stopped""#)
        }
      }
    }

    @Test("a topic that is not there is named by /readyz")
    func topic() throws {
      try Deployment.with { deployment in
        let worker = try Probed(deployment, topic: deployment.topic + "_missing")
        defer { worker.process.signal(SIGKILL) }
        try worker.wait("it is not ready", 503, saying: "\(deployment.topic)_missing")
        #expect(try worker.client.get("/healthz").status == 200)
      }
    }
  }
}
