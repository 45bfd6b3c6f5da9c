import CountStore
import Counting
import Glibc

/// The database's clock as it runs between two readings: the worker's own clock may be an hour off, so only its
/// steady progress is used.
struct DatabaseClock {
  private(set) var floor: Timestamp
  private let now: Timestamp
  private let readAt: Int64

  init(_ bounds: EventTimeBounds) {
    floor = bounds.floor
    now = bounds.now
    readAt = Self.monotonicMicroseconds()
  }

  /// What the database's clock shows now.
  func estimate() -> Timestamp {
    Timestamp(microseconds: now.microseconds &+ (Self.monotonicMicroseconds() &- readAt))
  }

  /// CLOCK_MONOTONIC in microseconds.
  static func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
