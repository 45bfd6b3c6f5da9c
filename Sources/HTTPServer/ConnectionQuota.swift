import Locks
import Sockets

/// Counts connections, in total and by where they come from, over all loops.
final class ConnectionQuota: Sendable {
  private struct Counts {
    var total = 0
    var byNetwork: [Network: Int] = [:]
  }

  /// An IPv4 address or an IPv6 /64, which is what one subscriber has.
  private struct Network: Hashable {
    let prefix: UInt64
    let isIPv6: Bool

    init(_ address: SocketAddress) {
      isIPv6 = address.host.count == 16
      // An IPv4 client of a dual-stack socket is ::ffff:a.b.c.d: its network is in the last four bytes.
      let isMapped =
        isIPv6 && address.host.prefix(12).elementsEqual([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF])
      let bytes = isMapped ? address.host.suffix(4) : address.host.prefix(8)
      prefix = bytes.reduce(0) { $0 << 8 | UInt64($1) }
    }
  }

  private let total: Int
  private let perAddress: Int
  private let counts = Lock(Counts())

  init(total: Int, perAddress: Int) {
    self.total = total
    self.perAddress = perAddress
  }

  /// Counts one more connection, or says which limit it would exceed.
  func acquire(_ address: SocketAddress) -> ConnectionLimit? {
    let network = Network(address)
    return counts.withLock { counts in
      guard counts.total < total else { return .total }
      guard counts.byNetwork[network, default: 0] < perAddress else { return .perAddress }
      counts.total += 1
      counts.byNetwork[network, default: 0] += 1
      return nil
    }
  }

  func release(_ address: SocketAddress) {
    let network = Network(address)
    counts.withLock { counts in
      counts.total -= 1
      let left = counts.byNetwork[network, default: 1] - 1
      counts.byNetwork[network] = left == 0 ? nil : left
    }
  }
}
