import Glibc
import TestSupport
import Testing

extension EndToEnd {
  /// No database is needed to be watched.
  @Suite("topitems serve, watched")
  struct ServeObservationTests {
    private let nowhere = "postgresql://127.0.0.1:1/nowhere"

    @Test("exports its metrics to Prometheus, by route")
    func metrics() throws {
      let server = try APIServer(databaseURL: nowhere)
      #expect(try server.client.get("/healthz").status == 200)
      #expect(try server.client.get("/healthz").status == 200)
      #expect(try server.client.get("/no/such/path").status == 404)
      #expect(try server.client.get("/bi/").status == 200)
      #expect(try server.client.get("/odata/v4/Nothing").status == 404)
      let page = try server.client.get("/metrics")
      #expect(page.status == 200)
      let lines = page.text.split(separator: "\n")
      #expect(lines.contains(#"topitems_http_requests_total{route="/healthz",status="2xx"} 2"#))
      #expect(lines.contains(#"topitems_http_requests_total{route="other",status="4xx"} 1"#))
      #expect(lines.contains(#"topitems_http_requests_total{route="/bi/",status="2xx"} 1"#))
      #expect(lines.contains(#"topitems_http_requests_total{route="/odata/v4",status="4xx"} 1"#))
      #expect(lines.contains { $0.hasPrefix("topitems_http_connections_total ") })
      #expect(lines.contains("topitems_streams 0") && lines.contains("topitems_answer_hits_total 0"))
    }

    @Test(
      "writes an access log on standard output, without secrets; none unless asked",
      arguments: ["common", "json", "off"]
    )
    func accessLog(_ format: String) throws {
      let server = try APIServer(databaseURL: nowhere, options: ["--access-log-format", format])
      _ = try server.client.get("/healthz?api_key=s3cret")
      #expect(try server.client.get("/healthz").status == 200)
      server.process.signal(SIGTERM)
      #expect(try server.process.wait(within: .seconds(20)) == .exited(0))
      let lines = server.process.output.split(separator: "\n")
      #expect(lines.count == (format == "off" ? 0 : 2))
      for (line, target) in zip(lines, ["/healthz?api_key=redacted", "/healthz"]) {
        #expect(line.contains(format == "json" ? #""target":"\#(target)""# : #""GET \#(target) HTTP/1.1""#))
      }
    }
  }
}
