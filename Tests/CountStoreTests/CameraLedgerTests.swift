import Locks
import Testing

@testable import CountStore

@Suite("when a worker adds its camera notes to the cameras' rows")
struct CameraLedgerTests {
  /// A clock that stands where it is set.
  private final class Clock: Sendable {
    private let reading: Lock<UInt64>

    init(_ nanoseconds: UInt64) { reading = Lock(nanoseconds) }

    var now: MonotonicInstant { MonotonicInstant(nanoseconds: reading.withLock { $0 }) }

    func advance(_ seconds: UInt64) {
      reading.withLock { reading in
        let (sum, overflow) = reading.addingReportingOverflow(seconds * 1_000_000_000)
        reading = overflow ? .max : sum
      }
    }
  }

  /// A machine that has just booted, one that has been up for three minutes, a century, and clocks at the ends of the
  /// signed and the unsigned numbers.
  private static let readings: [UInt64] = [
    1, 180_000_000_000, 3_000_000_000_000_000_000, 1 << 63 - 1, 1 << 63,
  ]

  @Test("an update is due when it is asked for, however young the clock is", arguments: readings)
  func asked(reading: UInt64) {
    let clock = Clock(reading)
    var ledger = CameraLedger(interval: .seconds(3600), now: { clock.now })
    #expect(!ledger.isDue)
    ledger.makeDue()
    #expect(ledger.isDue)
  }

  @Test("an update is due when the interval is over, and not before", arguments: readings)
  func interval(reading: UInt64) {
    let clock = Clock(reading)
    var ledger = CameraLedger(interval: .seconds(10), now: { clock.now })
    clock.advance(9)
    #expect(!ledger.isDue)
    clock.advance(1)
    #expect(ledger.isDue)
    ledger.removeAll()
    #expect(!ledger.isDue)
  }
}
