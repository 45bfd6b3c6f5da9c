public import Counting
import Postgres

/// How dead letters are judged when they are replayed; the same as a worker's options, or they would be judged by
/// another measure.
public struct ReplayOptions: Sendable {
  /// How far ahead of the database's clock an event may be.
  public var allowedSkewSeconds: Int64 = 300
  /// Only decode.
  public var isDryRun = false

  /// The defaults.
  public init() {}
}

/// The result of replaying some dead letters.
public struct ReplayReport: Sendable, Equatable {
  /// Dead letters that were looked at.
  public var examined = 0
  /// Those that are events now, and what became of them; nothing in a dry run.
  public var readmitted = ReadmissionReport()
  /// Those that are events now.
  public var decoded = 0
  /// Those that still are none, by reason.
  public var failed: [String: Int] = [:]
  /// Those of which not all bytes are kept.
  public var truncated = 0
  /// The position to continue after; nil at the end.
  public var last: MessagePosition?

  /// Nothing yet.
  public init() {}

  /// Adds the report of the next call.
  public static func += (report: inout ReplayReport, next: ReplayReport) {
    report.examined += next.examined
    report.readmitted += next.readmitted
    report.decoded += next.decoded
    report.failed.merge(next.failed, uniquingKeysWith: +)
    report.truncated += next.truncated
    report.last = next.last
  }
}

extension CountStore {
  /// How many bytes of dead letters one call holds in memory.
  private static let replayBytes: Int64 = 16 << 20

  /// Decodes the next dead letters again. Those that are events now get the fate that they would have had, exactly
  /// once, and are dead letters no longer; the others stay, with the reason that is found now.
  ///
  /// - Parameters:
  ///   - after: the last position of the previous call.
  ///   - limit: how many at most; one transaction takes 200.
  /// - Throws: `PostgresError`; it is safe to repeat the call.
  public func replayDeadLetters(
    _ filter: DeadLetterFilter,
    after: MessagePosition?,
    limit: Int,
    options: ReplayOptions,
    decoder: inout EventDecoder
  ) throws(PostgresError) -> ReplayReport {
    var report = ReplayReport()
    let read = try decode(filter, after: after, limit: limit, decoder: &decoder, report: &report)
    if options.isDryRun {
      for failure in read.failures { report.failed[failure.reason, default: 0] += 1 }
      return report
    }
    let result = try readmit(
      read.messages,
      from: .deadLetters
    ) { message, bounds in
      let skew = message.event.detectedAt.microseconds &- bounds.now.microseconds
      if message.event.detectedAt < bounds.floor { return .late }
      return skew > options.allowedSkewSeconds * 1_000_000 ? .future : .counted
    }
    report.readmitted = result.report
    let refused = result.refused.map { (position, code) in
      Failure(position: position, reason: "database_rejected_\(code)", field: nil)
    }
    let failures = read.failures + refused
    for failure in failures { report.failed[failure.reason, default: 0] += 1 }
    try relabel(failures)
    return report
  }

  private struct Failure {
    var position: MessagePosition
    var reason: String
    var field: String?
  }

  private func decode(
    _ filter: DeadLetterFilter,
    after: MessagePosition?,
    limit: Int,
    decoder: inout EventDecoder,
    report: inout ReplayReport
  ) throws(PostgresError) -> (messages: [Readmission], failures: [Failure]) {
    // The bytes before each row, so that a call takes few large payloads; the first row always comes.
    let result = try connection.execute(
      """
      SELECT topic, partition, "offset", payload_bytes, payload FROM (
        SELECT topic, partition, "offset", payload_bytes, payload,
               sum(octet_length(payload)) OVER (ORDER BY topic, partition, "offset"
                                                ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS bytes_before
        FROM dead_letter WHERE \(Self.condition(filter, after: after))
        ORDER BY topic, partition, "offset" LIMIT \(min(limit, Self.readmissionBatch))) AS page
      WHERE coalesce(bytes_before, 0) < \(Self.replayBytes)
      ORDER BY topic, partition, "offset"
      """
    )
    var messages: [Readmission] = []
    var failures: [Failure] = []
    report.examined = result.count
    for row in 0..<result.count {
      let position = try Self.position(result, row)
      report.last = position
      let payload = try result.bytes(row, 4)
      guard try result.int64(row, 3) == payload.count else {
        report.truncated += 1
        continue
      }
      let event = payload.withUnsafeBytes { bytes in
        Result { () throws(DecodeError) in
          let event = try decoder.decode(bytes)
          return Batch.QuarantinedEvent(part: 0, offset: position.offset, fate: .counted, event: event)
        }
      }
      switch event {
      case .success(let event):
        messages.append(Readmission(position: position, fate: .deadLetter, event: event))
        report.decoded += 1
      case .failure(let error):
        failures.append(
          Failure(position: position, reason: error.reason.rawValue, field: error.field?.rawValue)
        )
      }
    }
    return (messages, failures)
  }

  /// Stores the reason why these are still no events; rows that another session has locked are left.
  private func relabel(_ failures: [Failure]) throws(PostgresError) {
    guard !failures.isEmpty else { return }
    _ = try connection.execute(
      """
      WITH found AS (
        SELECT kept.topic, kept.partition, kept."offset", now.reason, nullif(now.field, '') AS field
        FROM dead_letter AS kept
        JOIN unnest(\(failures.map(\.position.key.topic)), \(failures.map(\.position.key.partition)),
                    \(failures.map(\.position.offset)), \(failures.map(\.reason)), \(failures.map { $0.field ?? "" }))
          AS now(topic, partition, "offset", reason, field)
          ON kept.topic = now.topic COLLATE "C" AND kept.partition = now.partition AND kept."offset" = now."offset"
        WHERE kept.reason <> now.reason OR kept.field IS DISTINCT FROM nullif(now.field, '')
        ORDER BY 1, 2, 3 FOR UPDATE OF kept SKIP LOCKED)
      UPDATE dead_letter AS kept SET reason = found.reason, field = found.field
      FROM found
      WHERE kept.topic = found.topic AND kept.partition = found.partition AND kept."offset" = found."offset"
      """
    )
  }
}
