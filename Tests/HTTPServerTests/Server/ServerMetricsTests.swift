import HTTP
import HTTPServer
import Testing

@Suite("the server's metrics")
struct ServerMetricsTests {
  @Test("count requests by route and class of status, over all loops")
  func requests() throws {
    let server = try TestServer(loops: 2)
    for number in 0..<20 {
      let client = try server.client()
      try client.get(number % 2 == 0 ? "/a" : "/block")
      _ = try client.answer()
      if number < 3 {
        try client.send("nonsense\r\n")
        #expect(try client.answer().status == 400)
      }
    }
    #expect(server.metric(#"t_requests_total{route="/a",status="2xx"}"#) == 10)
    #expect(server.metric(#"t_requests_total{route="/block",status="2xx"}"#) == 10)
    #expect(server.metric(#"t_requests_total{route="none",status="4xx"}"#) == 3)
    #expect(server.metric(#"t_request_seconds_count{route="/block"}"#) == 10)
    #expect(server.metric(#"t_request_seconds_bucket{route="/block",le="+Inf"}"#) == 10)
    #expect(server.metric("t_connections_total") == 20)
    #expect(eventually { server.metric("t_connections") == 0 })
    #expect((server.metric("t_received_bytes_total") ?? 0) > 20 * 30)
    #expect((server.metric("t_sent_bytes_total") ?? 0) > 20 * 50)
  }

  @Test("show what is going on: connections, streams, workers, waiting requests, refused connections")
  func gauges() throws {
    let server = try TestServer(workers: 1) { $0.connections = 5 }
    let clients = try (0..<5).map { _ in try server.client() }
    try clients[0].get("/push")
    try clients[1].get("/push")
    #expect(eventually { server.metric("t_open_streams") == 2 })
    for client in clients[2...] { try client.get("/gate") }
    #expect(eventually { server.metric("t_workers_busy") == 1 && server.metric("t_requests_waiting") == 2 })
    #expect(server.metric("t_connections") == 5)
    #expect(try server.client().answer().status == 503)
    #expect(server.metric("t_connections_refused_total") == 1)
    server.record.openGate()
    for client in clients[2...] { #expect(try client.answer().status == 200) }
    #expect(eventually { server.metric("t_workers_busy") == 0 && server.metric("t_requests_waiting") == 0 })
    clients[0].close()
    server.record.channels[1].end()
    #expect(eventually { server.metric("t_open_streams") == 0 })
    // A stream lasts as long as its client likes: that is no duration.
    #expect(server.metric(#"t_requests_total{route="/push",status="2xx"}"#) == 2)
    #expect(server.metric(#"t_request_seconds_count{route="/push"}"#) == 0)
  }
}
