import CountStore
import Counting

/// What retention does and keeps, as lines for people.
enum RetentionText {
  static func lines(_ report: RetentionReport) -> [String] {
    if report.isBusyElsewhere { return ["another session is running retention"] }
    var lines = report.folded.map { fold in
      "folded \(fold.level.rawValue)s up to \(fold.until.rfc3339)"
        + (fold.rows > 0 ? ", \(fold.rows) rows" : "")
    }
    if let floor = report.floor { lines.append("raised the deduplication floor to \(floor.rfc3339)") }
    if !report.droppedPartitions.isEmpty {
      lines.append("dropped \(report.droppedPartitions.joined(separator: ", "))")
    }
    let deleted = [
      (report.purgedDetections, "keys of detections"), (report.purgedDeadLetters, "dead letters"),
      (report.purgedQuarantine, "quarantined events"),
    ]
    for (count, what) in deleted where count > 0 { lines.append("deleted \(count) \(what)") }
    return lines
  }

  /// What a plan would do, in the order of its steps.
  static func lines(_ plan: RetentionPlan) -> [String] {
    var lines: [String] = []
    if !plan.made.isEmpty { lines.append("would make \(plan.made.joined(separator: ", "))") }
    for fold in plan.folds {
      lines.append("would fold \(fold.level.rawValue)s up to \(fold.until.rfc3339), \(fold.rows) rows")
    }
    if let floor = plan.floor {
      lines.append("would raise the deduplication floor to \(floor.rfc3339)")
    }
    return lines + losses(plan)
  }

  /// What a plan would destroy.
  static func losses(_ plan: RetentionPlan) -> [String] {
    var lines = plan.dropped.map { partition in
      "would drop \(partition.name): \(partition.rows) rows, \(bytes(partition.bytes))"
    }
    if plan.dropped.count > 1 {
      let rows = plan.dropped.reduce(0) { $0 + $1.rows }
      let size = bytes(plan.dropped.reduce(0) { $0 + $1.bytes })
      lines.append("would drop \(plan.dropped.count) partitions in all: \(rows) rows, \(size)")
    }
    let deleted = [
      (plan.keys, "keys of detections"), (plan.deadLetters, "dead letters"),
      (plan.quarantine, "quarantined events"),
    ]
    for (deletion, what) in deleted where deletion.rows > 0 {
      lines.append("would delete \(deletion.rows) \(what), about \(bytes(deletion.bytes)) (estimated)")
    }
    return lines
  }

  /// The settings with what they come to; one line each.
  static func lines(_ policy: RetentionPolicy) -> [String] {
    RetentionSetting.allCases.map { "\($0.rawValue) \(text($0, policy))" }
  }

  /// One setting's value, and what it comes to where that is more.
  static func text(_ setting: RetentionSetting, _ policy: RetentionPolicy) -> String {
    let own = length(policy[setting])
    let effective = length(policy.effective(setting))
    return own == effective ? own : "\(own) (in effect \(effective), as long as what depends on it)"
  }

  /// ISO 8601, or `for-ever`.
  static func length(_ seconds: Int64?) -> String {
    seconds.flatMap {
      $0.multipliedReportingOverflow(by: 1_000_000).overflow ? nil : TimeSpan(microseconds: $0 * 1_000_000)
    }?
    .iso8601 ?? "for-ever"
  }

  /// MiB with one decimal; less in bytes.
  static func bytes(_ count: Int64) -> String {
    guard count >= 1 << 20 else { return "\(count) bytes" }
    let tenths = count / ((1 << 20) / 10)
    return "\(tenths / 10).\(tenths % 10) MiB"
  }
}
