import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems serve")
  struct ServeTests {
    @Test("answers with the truth about every location, in every window, under the names of its locations")
    func truth() throws {
      try Deployment.with { deployment in
        let truthFile = try TemporaryFile("truth")
        let simulator = try deployment.simulator(["--rate", "0", "--count", "100000"], truth: truthFile)
        #expect(try simulator.wait(within: .seconds(60)) == .exited(0), "\(simulator.story)")
        try deployment.drain()
        let truth = try TruthFile(truthFile.path)
        let server = try APIServer(databaseURL: deployment.databaseURL)
        #expect(try server.differences(from: truth) == [])

        // One ranking over all, by the same order.
        var sums: [[UInt8]: Int64] = [:]
        for (key, count) in truth.counts { sums[key.item, default: 0] += count }
        let order = sums.sorted { a, b in
          a.value != b.value ? a.value > b.value : a.key.lexicographicallyPrecedes(b.key)
        }
        let all = try server.rows("group=all&n=1000&from=2000-01-01T00:00:00Z")
        #expect(all.map { Array($0.item_name.utf8) } == order.map(\.key))
        #expect(all.map(\.item_count) == order.map(\.value))
        #expect(all.map(\.item_rank) == Array(1...order.count))

        // A location that gets its name later.
        #expect(try server.rows("location=7&n=1").first?.geographical_location == nil)
        let names = "geographical_location_oid,geographical_location\n7,Gate \"é\"\n".replacing(
          "\"",
          with: ""
        )
        let run = try ProcessRunner.run(
          ["locations", "import", "-"],
          environment: deployment.environment,
          input: Array(names.utf8)
        )
        #expect(run.ending == .exited(0), "\(run)")
        // The server receives the change a moment after the import has ended.
        try waitUntil("the answer has the name") {
          try server.rows("location=7&n=1").first?.geographical_location == "Gate é"
        }
        let wanted = truth.ranking().filter { ["3", "7"].contains($0.geographical_location_oid) }
        let found = try server.rows("location=7&location=3&n=1000&from=2000-01-01T00:00:00Z")
        #expect(found.map(\.item_name) == wanted.map(\.item_name))
        #expect(found.map(\.geographical_location_oid) == wanted.map(\.geographical_location_oid))
      }
    }

    @Test("what curl gets wrong is answered with a problem that names it")
    func curl() throws {
      try withServer { server in
        let base = "http://127.0.0.1:\(server.client.port)"
        let wrong: [(target: String, status: Int, parameter: String?)] = [
          ("/v1/top-items?n=0", 400, "n"), ("/v1/top-items?n=-1", 400, "n"),
          ("/v1/top-items?n=1001", 400, "n"), ("/v1/top-items?n=abc", 400, "n"),
          ("/v1/top-items?n=", 400, "n"), ("/v1/top-items?n=1&n=2", 400, "n"),
          ("/v1/top-items?location=Gate", 400, "location"),
          ("/v1/top-items?location=9223372036854775808", 400, "location"),
          ("/v1/top-items?from=yesterday", 400, "from"), ("/v1/top-items?to=2026-13-01T00:00:00Z", 400, "to"),
          ("/v1/top-items?from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", 400, "from"),
          ("/v1/top-items?window=1h", 400, "window"), ("/v1/top-items?group=camera", 400, "group"),
          ("/v1/top-items?colour=red", 400, "colour"), ("/v1/top-items?N=5", 400, "N"),
          ("/v1/top-items?location=4711", 404, "location"), ("/v1/bottom-items", 404, nil),
          ("/v1/top-items/", 404, nil),
        ]
        for (target, status, parameter) in wrong {
          let answer = try curl(base + target)
          #expect(answer.status == status, "\(target): \(answer.body)")
          #expect(answer.fields["content-type"] == "application/problem+json", "\(target)")
          let problem = try #require(try answer.problem(), "\(target): \(answer.body)")
          #expect(
            problem.status == status && !problem.title.isEmpty && problem.param == parameter,
            "\(target)"
          )
        }
        for method in ["POST", "PUT", "DELETE", "PATCH"] {
          let answer = try curl("-X", method, base + "/v1/top-items")
          #expect(answer.status == 405, "\(method)")
          #expect(answer.fields["allow"]?.contains("GET") == true, "\(method): \(answer.fields)")
        }
        let good = try curl(base + "/v1/top-items?n=5&window=PT15M")
        #expect(good.status == 200 && good.fields["content-type"] == "application/json", "\(good)")
        let head = try curl("--head", base + "/v1/top-items")
        #expect(head.status == 200 && head.body.isEmpty)
        for path in ["/healthz", "/readyz", "/openapi.json"] {
          #expect(try curl(base + path).status == 200, "\(path)")
        }
        let openAPI = try server.client.get("/openapi.json").json()
        #expect((openAPI["paths"] as? [String: Any])?["/v1/top-items"] != nil)
      }
    }

    @Test("what is no HTTP is refused, and the next one is served")
    func socket() throws {
      try withServer { server in
        let client = server.client
        for (text, status) in [
          ("GET /healthz HTTP/1.1\r\n\r\n", 400), ("GET / HTTP/3.0\r\nHost: a\r\n\r\n", 505),
          (
            "GET /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400
          ),
          ("BREW /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", 501), ("\u{16}\u{3}\u{1}", 400),
          ("GET /" + String(repeating: "a", count: 8001) + " HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        ] {
          let answer = String(decoding: try client.exchange(text), as: UTF8.self)
          #expect(answer.hasPrefix("HTTP/1.1 \(status) "), "\(text.prefix(60)): \(answer.prefix(200))")
        }
        let pipelined = String(
          decoding: try client.exchange(
            String(repeating: "GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n", count: 19)
              + "GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
          ),
          as: UTF8.self
        )
        #expect(pipelined.components(separatedBy: "HTTP/1.1 200 ").count == 21)
        #expect(try client.get("/healthz").status == 200)
      }
    }

    @Test("without PostgreSQL it answers 503 with Retry-After, stays alive, and recovers by itself")
    func databaseAway() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      let migrated = try ProcessRunner.run(
        ["migrate"],
        environment: ["TOPITEMS_DATABASE_URL": cluster.url()]
      )
      #expect(migrated.ending == .exited(0), "\(migrated)")
      let server = try APIServer(databaseURL: cluster.url())
      try server.waitUntilReady()
      for _ in 0..<2 {
        try cluster.stop(.immediate)
        for path in ["/v1/top-items", "/readyz"] {
          let answer = try server.client.get(path, within: .seconds(10))
          #expect(answer.status == 503, "\(path): \(answer.text)")
          #expect((answer.fields["retry-after"].flatMap(Int.init)).map((1...120).contains) == true, "\(path)")
        }
        #expect(try server.client.get("/healthz").status == 200)
        try cluster.start()
        try server.waitUntilReady()
        #expect(try server.rows("n=1") == [])
      }
      try cluster.stop(.immediate)
      let late = try APIServer(databaseURL: cluster.url())
      #expect(try late.client.get("/healthz").status == 200)
      #expect(try late.client.get("/readyz").status == 503)
      try expectStop(late.process)
      try expectStop(server.process)
    }

    @Test(
      "SIGTERM lets it end with 0, and a connection that waits does not hold it up",
      arguments: [SIGTERM, SIGINT]
    )
    func stop(signal: Int32) throws {
      try withServer { server in
        let idle = try server.client.idleConnection()
        defer { close(idle) }
        #expect(try server.client.get("/healthz").status == 200)
        try expectStop(server.process, signal)
        #expect(throws: TestSupportError.self) { try server.client.get("/healthz") }
      }
    }

    @Test("an address that is taken is refused with the reason")
    func addressTaken() throws {
      try withServer { server in
        let run = try ProcessRunner.run(
          ["serve", "--listen", "127.0.0.1:\(server.client.port)"],
          environment: ["TOPITEMS_DATABASE_URL": "postgresql://127.0.0.1:1/x"]
        )
        #expect(run.ending == .exited(1) && run.errors.contains("127.0.0.1:\(server.client.port)"), "\(run)")
      }
    }

    private func expectStop(_ process: ProcessRunner, _ signal: Int32 = SIGTERM) throws {
      let began = ContinuousClock.now
      process.signal(signal)
      #expect(try process.wait(within: .seconds(20)) == .exited(0), "\(process.story)")
      #expect(ContinuousClock.now - began < .seconds(10))
    }

    private func withServer(_ body: (APIServer) throws -> Void) throws {
      try TestDatabase.withDatabase { url in
        let run = try ProcessRunner.run(["migrate"], environment: ["TOPITEMS_DATABASE_URL": url])
        try #require(run.ending == .exited(0), "\(run)")
        try body(APIServer(databaseURL: url))
      }
    }

    private func curl(_ arguments: String...) throws -> CurlAnswer { try CurlAnswer(arguments) }
  }
}

/// What curl printed.
struct CurlAnswer {
  var status: Int
  var fields: [String: String]
  var body: String

  struct Problem: Decodable {
    var type, title, detail: String
    var status: Int
    var param: String?
  }

  static func program() throws -> String {
    let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map { "\($0)/curl" }
    guard let program = paths.first(where: FileManager.default.isExecutableFile) else {
      throw TestSupportError("curl is missing; install it: apt-get install curl")
    }
    return program
  }

  init(_ arguments: [String]) throws {
    let run = try ProcessRunner(
      Self.program(),
      ["--silent", "--show-error", "--max-time", "20", "--noproxy", "*", "--include"] + arguments
    )
    guard try run.wait(within: .seconds(30)) == .exited(0) else { throw TestSupportError("curl\(run.story)") }
    let output = run.output
    guard let end = output.range(of: "\r\n\r\n") else { throw TestSupportError("no head: \(output)") }
    let lines = output[..<end.lowerBound].components(separatedBy: "\r\n")
    status = Int(lines[0].split(separator: " ")[1]) ?? 0
    fields = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      fields[parts[0].lowercased()] = parts[1].trimmingCharacters(in: .whitespaces)
    }
    body = String(output[end.upperBound...])
  }

  func problem() throws -> Problem? { try JSONDecoder().decode(Problem.self, from: Data(body.utf8)) }
}
