import Counting
import Postgres

/// How far a level reaches, as of one snapshot. All times are whole units.
struct RollupMark: Equatable, Sendable {
  /// Below it the level is complete.
  var foldedUntil: Timestamp
  /// Up to it, a fold is under way; equal to `foldedUntil` when none is.
  var foldingUntil: Timestamp
}

/// The marks of all levels, as a batch finds them.
struct RollupMarks: Equatable, Sendable {
  var hour: RollupMark
  var day: RollupMark
  var month: RollupMark

  subscript(level: RollupLevel) -> RollupMark {
    switch level {
    case .hour: hour
    case .day: day
    case .month: month
    }
  }
}

extension RollupMarks {
  /// One row for each level.
  static let query: Query =
    "SELECT level, folded_until, folding_until FROM rollup_mark WHERE level IN ('hour', 'day', 'month')"

  /// - Parameter result: of `query`.
  init(_ result: borrowing QueryResult) throws(PostgresError) {
    var marks: [String: RollupMark] = [:]
    for row in 0..<result.count {
      marks[try result.string(row, 0)] = RollupMark(
        foldedUntil: Timestamp(microseconds: try result.timestamp(row, 1)),
        foldingUntil: Timestamp(microseconds: try result.timestamp(row, 2))
      )
    }
    guard let hour = marks["hour"], let day = marks["day"], let month = marks["month"] else {
      throw PostgresError(.protocol, "the table rollup_mark must have a row for each of hour, day and month")
    }
    self.init(hour: hour, day: day, month: month)
  }
}

extension CountStore {
  /// Each level's mark.
  func rollupMarks() throws(PostgresError) -> RollupMarks {
    try RollupMarks(connection.execute(RollupMarks.query))
  }
}
