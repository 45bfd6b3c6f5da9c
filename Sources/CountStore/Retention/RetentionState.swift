import Counting

/// What retention decides from, as of one moment, and the decisions: no I/O. A run reads it before each step, a dry run
/// carries it from step to step as the run would leave it; so both decide by the same lines.
struct RetentionState: Equatable, Sendable {
  /// A partition by time.
  struct Partition: Equatable, Sendable {
    var name: String
    /// `window_count` or `window_count_hour`.
    var parent: String
    /// Where it begins; nil for the one that begins at no time (`PartitionedTable.past`).
    var start: Timestamp?
    /// Where it ends; outside of it.
    var stop: Timestamp
    /// False in a dry run for one that the run would make first.
    var exists = true
  }

  /// The time that is planned with.
  var now: Timestamp
  /// nil before the first event.
  var watermark: Timestamp?
  /// nil before the first claim.
  var floor: Timestamp?
  var marks: RollupMarks
  /// Below it, minutes are dropped or about to be.
  var minutesKeptFrom: Timestamp
  /// The same for hours.
  var hoursKeptFrom: Timestamp
  /// Attached ones, by their ends.
  var partitions: [Partition]

  /// Until when levels may be folded: what is older than the watermark, and by a delay, so that a stream which lags, or
  /// catches up after an outage, is not written to every level at once. A stream that lags by more than a day does not
  /// hold the fold up: the number of minutes that a response reads must stay bounded.
  func foldTarget(_ policy: RetentionPolicy) -> Timestamp {
    min(now, max(watermark ?? now.earlier(by: 86_400), now.earlier(by: 86_400)))
      .earlier(by: policy.foldDelay)
  }

  /// Where the floor is due to be; nil while it stays. It falls only when an operator says so (`setFloor`).
  func floorDue(_ policy: RetentionPolicy) -> Timestamp? {
    guard let floor, floor < now.earlier(by: policy.dedupHorizon + policy.floorStep) else { return nil }
    return now.earlier(by: policy.dedupHorizon)
  }

  /// From when minutes and hours are due to be kept; nil while both stay. By whole partitions, never beyond what the
  /// next coarser level covers, and for the minutes never above the floor or the horizon, as an event above them may
  /// come at any time.
  func keptFromDue(_ policy: RetentionPolicy) -> (minutes: Timestamp, hours: Timestamp)? {
    guard let floor else { return nil }
    let minutes = max(
      minutesKeptFrom,
      min(now.earlier(by: max(policy.minutes, policy.dedupHorizon)), marks.hour.foldedUntil, floor).start(
        of: .day
      )
    )
    let hours = max(
      hoursKeptFrom,
      min(now.earlier(by: policy.hours), marks.day.foldedUntil, minutes).start(of: .month)
    )
    return minutes == minutesKeptFrom && hours == hoursKeptFrom ? nil : (minutes, hours)
  }

  /// The partitions that hold nothing younger. None above the floor, which an operator may have moved below what is
  /// kept (`setFloor`): events of that time are counted, and need their partition.
  func partitions(before kept: (minutes: Timestamp, hours: Timestamp)) -> [Partition] {
    guard let floor else { return [] }
    let (minutes, hours) = (
      min(kept.minutes, floor.start(of: .day)), min(kept.hours, floor.start(of: .month))
    )
    return partitions.filter { $0.stop <= ($0.parent == PartitionedTable.hours.name ? hours : minutes) }
  }

  /// The policy with a longer horizon, minutes or hours where a run by it would raise the floor or drop a partition: at
  /// least as long as the floor and the partitions reach back, in whole hours.
  func policyKeepingWhatIsThere(_ policy: RetentionPolicy) -> RetentionPolicy {
    guard let floor else { return policy }
    var policy = policy
    if floor > now {
      // A fast clock has raised it, so that it does not show what was in use.
      policy.dedupHorizon = max(policy.dedupHorizon, RetentionPolicy().dedupHorizon)
    } else if floorDue(policy) != nil {
      policy.dedupHorizon = now.wholeHours(since: floor)
    }
    for partition in keptFromDue(policy).map(partitions(before:)) ?? [] {
      let age = now.wholeHours(since: partition.start ?? partition.stop)
      if partition.parent == PartitionedTable.hours.name {
        policy.hours = max(policy.hours, age)
      } else {
        policy.minutes = max(policy.minutes, age)
      }
    }
    return policy
  }
}

extension RollupMarks {
  /// Until when a fold of a level would go: whole units of what the finer level covers, and at least as far as a fold
  /// that did not come to its end; nil when there is nothing to fold.
  func foldEnd(_ level: RollupLevel, until target: Timestamp) -> Timestamp? {
    // Minutes are always complete.
    let finer = level.finer.map { self[$0].foldedUntil } ?? target
    let end = max(self[level].foldingUntil, min(target, finer).start(of: level.unit))
    return end > self[level].foldedUntil ? end : nil
  }

  /// The marks after a fold.
  mutating func fold(_ level: RollupLevel, until end: Timestamp) {
    let mark = RollupMark(foldedUntil: end, foldingUntil: end)
    switch level {
    case .hour: hour = mark
    case .day: day = mark
    case .month: month = mark
    }
  }
}

extension Timestamp {
  /// The point so many seconds earlier; at the start of the representable time, that start.
  func earlier(by seconds: Int64) -> Timestamp {
    let (span, tooLong) = seconds.multipliedReportingOverflow(by: 1_000_000)
    let (difference, tooEarly) = microseconds.subtractingReportingOverflow(span)
    return Timestamp(microseconds: tooLong || tooEarly ? .min : difference)
  }

  /// The seconds since an earlier point, rounded up to whole hours; 0 for a later one.
  fileprivate func wholeHours(since earlier: Timestamp) -> Int64 {
    let (span, overflow) = microseconds.subtractingReportingOverflow(earlier.microseconds)
    let seconds = overflow ? Int64.max / 1_000_000 : span / 1_000_000
    return seconds < 0 ? 0 : (seconds / 3600 + 1) * 3600
  }
}
