import Sockets

/// What counts as one client where each may use its share: an IPv4 address or an IPv6 /64, which is what one subscriber
/// has.
struct ClientNetwork: Hashable, Sendable {
  private let prefix: UInt64
  private let isIPv6: Bool

  init(_ address: SocketAddress) {
    isIPv6 = address.host.count == 16
    // An IPv4 client of a dual-stack socket is ::ffff:a.b.c.d: its network is in the last four bytes.
    let isMapped =
      isIPv6 && address.host.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
    let bytes = isMapped ? address.host.suffix(4) : address.host.prefix(8)
    prefix = bytes.reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// The client whose request is being handled, for work that is submitted meanwhile without naming one.
enum CurrentClient {
  @TaskLocal static var network: ClientNetwork?
}
