import Glibc
public import Threading

/// The clock of event loops and their deadlines.
public typealias Instant = MonotonicInstant

extension MonotonicInstant {
  /// The milliseconds to wait from here until `other`, rounded up so that nothing wakes too early, at most `limit`.
  func milliseconds(until other: MonotonicInstant, limit: Int32) -> Int32 {
    guard other > self else { return 0 }
    let milliseconds = (other.nanoseconds - nanoseconds - 1) / 1_000_000 + 1
    return milliseconds < UInt64(limit) ? Int32(milliseconds) : limit
  }
}

/// Seconds since 1970-01-01T00:00:00Z, by the wall clock's last tick (CLOCK_REALTIME_COARSE, about 4 ms).
public func currentSecond() -> Int64 {
  var time = timespec()
  clock_gettime(CLOCK_REALTIME_COARSE, &time)
  return Int64(time.tv_sec)
}
