import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Responses from memory, and live")
  struct LiveTests {
    @Test("a change is in the next response and on the stream, a repeat comes from memory or is a 304")
    func changes() throws {
      try Deployment.with { deployment in
        let worker = try deployment.worker()
        let server = try APIServer(databaseURL: deployment.databaseURL)
        let path = "/v1/top-items?location=1&n=5"
        #expect(try server.client.get("/v1/top-items/stream?location=1").status == 404, "no stream begins")
        try deployment.send(["crane"])
        try waitUntil("it is counted", within: .seconds(60)) {
          try server.client.get(path).text.contains("crane")
        }

        let stream = try follow(server, "location=1&n=5")
        try stream.waitUntil(within: .seconds(20), "the current answer comes at once") {
          stream.output.contains("event: top-items\ndata: {") && stream.output.contains("crane")
        }
        for item in ["drone", "excavator"] {
          try deployment.send([item])
          try stream.waitUntil(within: .seconds(20), "the change is pushed") { stream.output.contains(item) }
          #expect(try server.client.get(path).text.contains(item), "a request after the push sees it too")
        }
        let events = stream.output.components(separatedBy: "\n\n").filter { $0.contains("event: top-items") }
        let revisions = events.compactMap { event in
          event.split(separator: "\n").first { $0.hasPrefix("id: ") }.flatMap {
            Int64($0.dropFirst(4).prefix { $0 != "-" })
          }
        }
        #expect(revisions.count == events.count && revisions == revisions.sorted())

        // Nothing changes any more: the same bytes, from memory.
        let first = try server.client.get(path)
        let again = try server.client.get(path)
        #expect(again.fields["server-timing"]?.contains("cache;dur=0.000") == true, "\(again.fields)")
        #expect(again.body == first.body)
        let tag = try #require(first.fields["etag"])
        let known = try server.client.request("GET", path, fields: [("If-None-Match", tag)])
        #expect(known.status == 304 && known.body.isEmpty)
        try compressed(server, path, is: first.text)
        worker.signal(SIGTERM)
        #expect(try worker.wait(within: .seconds(20)) == .exited(0), "\(worker.story)")
        stream.signal(SIGTERM)
      }
    }

    @Test("no response stays behind when the listener's session is ended again and again")
    func lostListener() throws {
      try Deployment.with { deployment in
        let worker = try deployment.worker()
        let server = try APIServer(databaseURL: deployment.databaseURL)
        let connection = try deployment.connect()
        var items: [String] = []
        for round in 0..<5 {
          items.append("item \(round)")
          try deployment.send([items[round]])
          // The session ends somewhere between the commit and the news of it.
          _ = try connection.execute(
            """
            SELECT pg_terminate_backend(pid) FROM pg_stat_activity
            WHERE application_name = 'topitems serve listener' AND datname = current_database()
            """
          )
          try waitUntil("the answer has it", within: .seconds(60)) {
            let rows = try? server.rows("location=1&n=100")
            return rows.map { Set($0.map(\.item_name)) } == Set(items)
          }
        }
        try waitUntil("it is answered from memory again", within: .seconds(20)) {
          try server.client.get("/v1/top-items?location=1").fields["server-timing"]?.contains("cache;")
            == true
        }
        worker.signal(SIGTERM)
        #expect(try worker.wait(within: .seconds(20)) == .exited(0), "\(worker.story)")
      }
    }

    private func follow(_ server: APIServer, _ query: String) throws -> ProcessRunner {
      try ProcessRunner(
        try CurlAnswer.program(),
        [
          "--silent", "--show-error", "--no-buffer", "--noproxy", "*", "--max-time", "120",
          "http://127.0.0.1:\(server.client.port)/v1/top-items/stream?\(query)",
        ]
      )
    }

    /// What curl decodes is the same; the response is only compressed where that is worth it.
    private func compressed(_ server: APIServer, _ path: String, is text: String) throws {
      for _ in 1...2 {
        let answer = try CurlAnswer(["--compressed", "http://127.0.0.1:\(server.client.port)\(path)"])
        #expect(answer.body == text)
        #expect(answer.fields["content-encoding"] == (text.utf8.count >= 1024 ? "gzip" : nil))
      }
    }
  }
}
