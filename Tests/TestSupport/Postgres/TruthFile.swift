public import Counting
import Foundation
import Postgres

/// What `topitems simulate --truth` wrote: the exact response to everything.
public struct TruthFile: Sendable {
  /// One count's key; the item by its bytes, as `String` equates composed and decomposed characters.
  public struct Key: Hashable, Sendable, CustomStringConvertible {
    /// `geographical_location_oid`
    public var location: Int64
    /// Microseconds since 1970.
    public var windowStart: Int64
    /// The name in UTF-8.
    public var item: [UInt8]

    /// One count's key.
    public init(location: Int64, windowStart: Int64, item: [UInt8]) {
      self.location = location
      self.windowStart = windowStart
      self.item = item
    }

    /// For messages.
    public var description: String {
      "location \(location), window \(windowStart / 1_000_000), \(String(decoding: item, as: UTF8.self))"
    }
  }

  /// How many messages there are, and how many of each fate.
  public struct Summary: Decodable, Equatable, Sendable {
    private let numbers: [String: Int64]

    /// All messages.
    public var messages: Int64 { numbers["messages", default: 0] }

    /// The messages of one fate.
    public subscript(fate: Fate) -> Int64 { numbers[fate.column.description, default: 0] }

    /// Reads the object.
    /// - Throws: `DecodingError` where it has other members than the number of messages and one for each fate.
    public init(from decoder: any Decoder) throws {
      let container = try decoder.singleValueContainer()
      numbers = try container.decode([String: Int64].self)
      guard Set(numbers.keys) == Set(["messages"] + Fate.allCases.map(\.column.description)) else {
        throw DecodingError.dataCorruptedError(
          in: container,
          debugDescription: "not one member for each fate"
        )
      }
    }
  }

  /// What must be counted.
  public private(set) var counts: [Key: Int64] = [:]
  /// What was sent.
  public let summary: Summary

  private struct Line: Decodable {
    var geographical_location_oid: Int64?
    var window_start: String?
    var item_name: String?
    var item_count: Int64?
    var summary: Summary?
  }

  /// Reads the file.
  public init(_ path: String) throws {
    var summary: Summary?
    let decoder = JSONDecoder()
    var windows: [String: Int64] = [:]
    for text in try Data(contentsOf: URL(fileURLWithPath: path)).split(separator: UInt8(ascii: "\n")) {
      let line = try decoder.decode(Line.self, from: text)
      if let found = line.summary {
        summary = found
      } else if let location = line.geographical_location_oid, let window = line.window_start,
        let item = line.item_name, let count = line.item_count, summary == nil
      {
        let start = try windows[window] ?? Self.microseconds(window)
        windows[window] = start
        counts[Key(location: location, windowStart: start, item: Array(item.utf8))] = count
      } else {
        throw TestSupportError("\(path): an unexpected line: \(String(decoding: text, as: UTF8.self))")
      }
    }
    guard let summary else { throw TestSupportError("\(path) has no summary: the simulator did not finish") }
    self.summary = summary
  }

  private static func microseconds(_ time: String) throws -> Int64 {
    guard let date = ISO8601DateFormatter().date(from: time) else {
      throw TestSupportError("not a time: \(time)")
    }
    return Int64(date.timeIntervalSince1970) * 1_000_000
  }

  /// Where the database differs from the truth, one line each (the first few of a kind); none when I1, I2, I4 and
  /// I5 hold. All messages must have been committed, and nothing else must have been counted.
  public func differences(_ connection: Connection) throws -> [String] {
    try windowDifferences(connection) + detectionDifferences(connection) + fateDifferences(connection)
  }

  /// I2: every window, item by item.
  private func windowDifferences(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      """
      SELECT geographical_location_oid, window_start, item_name, item_count
      FROM window_count JOIN item USING (item_id)
      """
    )
    var stored: [Key: Int64] = [:]
    for row in 0..<result.count {
      let key = Key(
        location: try result.int64(row, 0),
        windowStart: try result.timestamp(row, 1),
        item: try result.bytes(row, 2)
      )
      stored[key] = try result.int64(row, 3)
    }
    var lines: [String] = []
    for key in Set(stored.keys).union(counts.keys) where stored[key] != counts[key] {
      lines.append("\(key): counted \(stored[key] ?? 0), the truth is \(counts[key] ?? 0)")
    }
    return lines.count <= 10 ? lines : lines.prefix(10) + ["… \(lines.count) windows differ"]
  }

  /// I1: the counts and the detections add up to the same.
  private func detectionDifferences(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      "SELECT (SELECT count(*) FROM detection), (SELECT sum(item_count)::bigint FROM window_count)"
    )
    let (detections, sum) = (try result.int64(0, 0), try result.optionalInt64(0, 1) ?? 0)
    return [("detections", detections), ("sum of the counts", sum)].compactMap { name, value in
      value == summary[.counted] ? nil : "\(name): \(value), the truth is \(summary[.counted])"
    }
  }

  /// I4 and I5: every message is below the stored offsets, and has one fate.
  private func fateDifferences(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      """
      SELECT 'messages', sum(next_offset)::bigint FROM ingest_offset
      UNION ALL SELECT key, value::bigint FROM fate_total, jsonb_each_text(to_jsonb(fate_total))
      UNION ALL SELECT 'rows of dead_letter', count(*) FROM dead_letter
      UNION ALL SELECT 'late rows of quarantine', count(*) FROM quarantine WHERE reason = 'late'
      UNION ALL SELECT 'future rows of quarantine', count(*) FROM quarantine WHERE reason = 'future'
      UNION ALL SELECT 'rows of offset_gap', count(*) FROM offset_gap
      """
    )
    var wanted = [
      "messages": summary.messages, "rows of dead_letter": summary[.deadLetter],
      "late rows of quarantine": summary[.late], "future rows of quarantine": summary[.future],
    ]
    for fate in Fate.allCases { wanted[fate.column.description] = summary[fate] }
    var missing = Set(wanted.keys)
    var lines: [String] = []
    // In any order: PostgreSQL reads the parts of a large UNION in parallel.
    for row in 0..<result.count {
      let (name, value) = (try result.string(row, 0), try result.optionalInt64(row, 1) ?? 0)
      let truth = wanted[name, default: 0]
      missing.remove(name)
      if value != truth { lines.append("\(name): \(value), the truth is \(truth)") }
    }
    return lines + missing.sorted().map { "\($0): not stored" }
  }
}
