import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

/// What a test that fails half-way must not leave behind, as all tests share one process and one server.
@Suite("Leftovers of tests")
struct LeftoversTests {
  @Test("a watch and a worker that are let go end by themselves, instead of connecting for ever")
  func abandoned() async throws {
    try await IngestionFixture.with { fixture throws in
      func sessions(_ name: String) throws -> Int64 {
        try fixture.number(
          """
          SELECT count(*) FROM pg_stat_activity
          WHERE application_name LIKE \(name) AND datname = current_database()
          """
        )
      }
      do {
        let mark = fixture.url.contains("?") ? "&" : "?"
        let watch = InvariantWatch(url: fixture.url + mark + "application_name=watch")
        let worker = fixture.start(fixture.options())
        try waitUntil("the watch looks") { try sessions("watch") == 1 }
        try worker.wait("it reads") { worker.isReading }
        withExtendedLifetime((watch, worker)) {}
      }
      try waitUntil("the watch has ended") { try sessions("watch") == 0 }
      try waitUntil("the worker has ended", within: .seconds(30)) { try sessions("worker%") == 0 }
    }
  }

  @Test("a child inherits no descriptor, whatever its number")
  func descriptors() throws {
    let high: Int32 = 1500
    // Many machines start with a soft limit of 1,024.
    var limit = rlimit()
    try #require(getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    limit.rlim_cur = max(limit.rlim_cur, min(limit.rlim_max, 4096))
    try #require(setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit) == 0)
    try #require(dup2(0, high) == high)
    defer { close(high) }
    let tool = try Tool(["/bin/ls", "/proc/self/fd"])
    let process = try ProcessRunner("/bin/ls", ["/proc/self/fd"])
    #expect(try process.wait(within: .seconds(20)) == .exited(0))
    for text in [tool.output, process.output] {
      let open = text.split(separator: "\n").compactMap { Int32($0) }
      #expect(!open.isEmpty && !open.contains(high), "\(open)")
    }
  }

  @Test("servers that are stopped and started have ports that no outgoing connection is given")
  func ports() throws {
    let text = try String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
    let outgoing = text.split(whereSeparator: \.isWhitespace).compactMap { Int($0) }
    try #require(outgoing.count == 2)
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    for port in [cluster.port, try #require(broker.address.split(separator: ":").last.flatMap { Int($0) })] {
      #expect(!(outgoing[0]...outgoing[1]).contains(port), "\(port)")
    }
  }

  @Test("a broker's state shows whether it answers")
  func brokerState() throws {
    let broker = try Broker.startPrivate()
    defer { broker.stop() }
    #expect(broker.state().contains("it answers within"), "\(broker.state())")
    broker.signal(SIGSTOP)
    let stopped = broker.state()
    #expect(stopped.contains("it does not answer within 2 s") && stopped.contains(" T, "), "\(stopped)")
    broker.signal(SIGKILL)
    try waitUntil("it is gone") { broker.state().contains("it takes no connection") }
  }
}
