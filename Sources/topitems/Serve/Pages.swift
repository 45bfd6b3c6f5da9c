import ArgumentParser
import CountStore
import Counting
import Glibc
import Postgres

/// What the commands about put-aside messages share: a small transaction after the other, and filters.
enum Pages {
  /// How many rows are read at a time.
  static let size = 1000

  /// Runs a small transaction, and again when another session was in its way (deadlock, lock timeout).
  static func retrying<Value>(_ body: () throws(PostgresError) -> Value) throws -> Value {
    var backoff: UInt32 = 50_000
    for _ in 0..<6 {
      do throws(PostgresError) {
        return try body()
      } catch {
        guard error.remedy == .retryTransaction else { throw error }
        usleep(backoff)
        backoff *= 2
      }
    }
    return try body()
  }

  /// Prints pages of rows until there are no more, or `limit` is reached: each row as a line of JSON, or aligned.
  ///
  /// - Returns: how many.
  static func print<Row>(
    limit: Int?,
    asJSON: Bool,
    columns: [(title: String, alignment: TextTable.Alignment)],
    next: (_ after: Row?, _ limit: Int) throws -> [Row],
    cells: (Row) -> [String],
    json: (Row) -> [UInt8]
  ) throws -> Int {
    var last: Row?
    var count = 0
    while true {
      let wanted = min(size, (limit ?? .max) - count)
      let rows = wanted > 0 ? try next(last, wanted) : []
      guard !rows.isEmpty else { return count }
      count += rows.count
      last = rows.last
      if asJSON {
        try StandardOutput.write(rows.flatMap { json($0) + [UInt8(ascii: "\n")] })
      } else {
        var table = TextTable(columns)
        for row in rows { table.add(cells(row)) }
        try StandardOutput.write(table.text)
      }
    }
  }

  /// A time that was typed.
  static func time(_ name: String, _ text: String?) throws -> Timestamp? {
    guard let text else { return nil }
    guard let time = Timestamp(rfc3339: text) else {
      throw ValidationError("--\(name) must be an RFC 3339 time like 2026-11-01T00:00:00Z.")
    }
    return time
  }

  /// A limit that was typed.
  static func limit(_ limit: Int?) throws -> Int? {
    if let limit, limit < 1 { throw ValidationError("--limit must be at least 1.") }
    return limit
  }

  /// `3 counted, 1 duplicate`
  static func text(_ fates: FateCounts) -> String {
    let parts = Fate.allCases.filter { fates[$0] > 0 }.map { "\(fates[$0]) \($0.rawValue)" }
    return parts.isEmpty ? "none" : parts.joined(separator: ", ")
  }

  /// What deserves a line of its own about messages with a new fate.
  static func notes(_ report: ReadmissionReport) -> [String] {
    var notes: [String] = []
    if report.left > 0 {
      notes.append("\(report.left) left as they are: another process is at them, or they have just changed")
    }
    if report.unaccounted > 0 {
      notes.append(
        "\(report.unaccounted) of them are not in the fates of ingest_offset, whose row was deleted or inserted again"
      )
    }
    return notes
  }
}
