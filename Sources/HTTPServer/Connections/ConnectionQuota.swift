import Threading
import Sockets

/// Counts connections, in total and by where they come from, over all loops.
final class ConnectionQuota: Sendable {
  private struct Counts {
    var total = 0
    var byNetwork: [ClientNetwork: Int] = [:]
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
    let network = ClientNetwork(address)
    return counts.withLock { counts in
      guard counts.total < total else { return .total }
      guard counts.byNetwork[network, default: 0] < perAddress else { return .perAddress }
      counts.total += 1
      counts.byNetwork[network, default: 0] += 1
      return nil
    }
  }

  func release(_ address: SocketAddress) {
    let network = ClientNetwork(address)
    counts.withLock { counts in
      counts.total -= 1
      let left = counts.byNetwork[network, default: 1] - 1
      counts.byNetwork[network] = left == 0 ? nil : left
    }
  }
}
