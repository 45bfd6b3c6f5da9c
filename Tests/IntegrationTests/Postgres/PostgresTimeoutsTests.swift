import Glibc
import TestSupport
import Testing

@testable import Postgres

@Suite("PostgreSQL time-outs")
struct PostgresTimeoutsTests {
  private func option(_ connection: Connection, _ level: Int32, _ name: Int32) -> Int32 {
    var value: Int32 = -1
    var size = socklen_t(MemoryLayout<Int32>.size)
    getsockopt(connection.socket, level, name, &value, &size)
    return value
  }

  @Test("the socket is set up so that a black hole is noticed within 20 s, unless the URL says otherwise")
  func socketOptions() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    let tcp = Int32(IPPROTO_TCP)
    let standard = try Connection(ConnectionOptions(url: cluster.url()))
    #expect(option(standard, SOL_SOCKET, SO_KEEPALIVE) == 1)
    #expect(option(standard, tcp, TCP_USER_TIMEOUT) == 15_000)
    let idle = option(standard, tcp, TCP_KEEPIDLE)
    #expect(idle + option(standard, tcp, TCP_KEEPINTVL) * option(standard, tcp, TCP_KEEPCNT) <= 20)
    let other = try Connection(
      ConnectionOptions(url: cluster.url() + "?tcp_user_timeout=7000&keepalives_idle=77")
    )
    #expect(option(other, tcp, TCP_USER_TIMEOUT) == 7000)
    #expect(option(other, tcp, TCP_KEEPIDLE) == 77)
  }
}
