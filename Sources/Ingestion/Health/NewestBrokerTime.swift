import CountStore
import Counting
import Threading

/// The time that a broker put on the message that was read last (`LogAppendTime`): written by the thread that reads,
/// read by the background work. The broker's clock shows at least that time plus what has passed since.
final class NewestBrokerTime: Sendable {
  private let newest = Lock<BrokerTime?>(nil)
  private let host: HostClock

  init(host: HostClock = .system) { self.host = host }

  /// The newest one, and when it was seen.
  var value: BrokerTime? { newest.withLock { $0 } }

  /// Takes note of a broker's time, unless no calendar has it. A later one that was seen before does not win: a
  /// broker whose clock was wrong for a moment must not be accepted for long.
  /// - Parameter milliseconds: since 1970.
  func record(milliseconds: Int64) {
    guard (0..<100_000_000_000_000).contains(milliseconds) else { return }
    let time = BrokerTime(
      appended: Timestamp(microseconds: milliseconds * 1000),
      monotonic: host.monotonic()
    )
    newest.withLock { $0 = time }
  }
}
