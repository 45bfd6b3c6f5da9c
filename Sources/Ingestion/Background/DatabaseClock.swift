import CountStore
import Counting
import Threading

/// The database's clock as it runs between two readings: the worker's own clock may be an hour off, so only its
/// steady progress is used.
struct DatabaseClock {
  private(set) var floor: Timestamp
  private let now: Timestamp
  private let readAt: MonotonicInstant

  /// - Parameter readAt: the moment at which the bounds were read.
  init(_ bounds: EventTimeBounds, readAt: MonotonicInstant = .now()) {
    floor = bounds.floor
    now = bounds.now
    self.readAt = readAt
  }

  /// What the database's clock shows now; the last representable time where that is beyond it.
  func estimate(at instant: MonotonicInstant = .now()) -> Timestamp {
    let elapsed = instant.elapsed(since: readAt).microseconds
    let (sum, overflow) = now.microseconds.addingReportingOverflow(elapsed)
    return Timestamp(microseconds: overflow ? .max : sum)
  }
}
