public import Counting
import Postgres

/// What a look at the clocks found.
public struct ClockCheck: Sendable {
  /// The time that retention may act by, or why there is none.
  public var verdict: Result<AgreedTime, ClockDisagreement>
  /// The readings that it rests on.
  public var reading: ClockReading
  /// The deduplication floor, if there is one.
  public var floor: Timestamp?

  /// The agreed time, if there is one.
  public var agreed: AgreedTime? { try? verdict.get() }

  /// What an operator has to see to; nil when all is well.
  public var complaint: String? {
    switch verdict {
    case .failure(let disagreement):
      return "\(disagreement); nothing is folded, dropped or purged until they agree again"
    case .success(let agreed):
      guard let floor, floor > agreed.time else { return nil }
      return """
        the deduplication floor (\(floor.rfc3339)) lies ahead of the clock, so that every event is late; \
        see 'topitems floor'
        """
    }
  }
}

extension CountStore {
  /// Compares the database's clock with this machine's, and stores an agreement for later comparisons.
  ///
  /// - Parameters:
  ///   - broker: the newest broker's time that is known.
  ///   - remembering: false stores nothing, and so needs no right to write.
  /// - Throws: `PostgresError`.
  public func checkClock(
    _ host: HostClock = .system,
    broker: BrokerTime? = nil,
    remembering: Bool = true
  ) throws(PostgresError) -> ClockCheck {
    let (reading, anchor, floor) = try readClock(host)
    do {
      let agreed = try TrustedClock.judge(reading, anchor: anchor, broker: broker)
      if remembering, let new = TrustedClock.anchor(after: reading, replacing: anchor) {
        try store(new, agreed.source)
      }
      return ClockCheck(verdict: .success(agreed), reading: reading, floor: floor)
    } catch let error as PostgresError {
      throw error
    } catch let disagreement as ClockDisagreement {
      return ClockCheck(verdict: .failure(disagreement), reading: reading, floor: floor)
    } catch {
      preconditionFailure("only the two kinds above are thrown: \(error)")
    }
  }

  /// Takes the database's clock for right, because an operator says so. Every earlier agreement is forgotten: workers
  /// on other machines compare their wall clocks again.
  /// - Throws: `PostgresError`.
  public func believeClock(_ host: HostClock = .system) throws(PostgresError) -> AgreedTime {
    let (reading, _, _) = try readClock(host)
    let agreed = TrustedClock.believe(reading)
    let anchor = TrustedClock.anchor(after: reading, replacing: nil)
    try connection.transaction { connection throws(PostgresError) in
      _ = try connection.execute("DELETE FROM clock_anchor")
      if let anchor { try store(anchor, agreed.source) }
    }
    return agreed
  }

  private func readClock(_ host: HostClock) throws(PostgresError) -> (ClockReading, ClockAnchor?, Timestamp?)
  {
    let began = host.monotonic()
    let wall = host.wall()
    let result = try connection.execute(
      """
      SELECT clock_timestamp(), monotonic_us, database_at, (SELECT floor_at FROM dedup_floor)
      FROM (VALUES (\(host.id))) AS host(id) LEFT JOIN clock_anchor ON clock_id = host.id
      """
    )
    let reading = ClockReading(
      database: Timestamp(microseconds: try result.timestamp(0, 0)),
      worker: Timestamp(microseconds: wall),
      monotonic: began,
      clockID: host.id,
      duration: host.monotonic().saturatingMinus(began)
    )
    let floor = try result.optionalTimestamp(0, 3).map(Timestamp.init(microseconds:))
    guard let monotonic = try result.optionalInt64(0, 1) else { return (reading, nil, floor) }
    let database = Timestamp(microseconds: try result.timestamp(0, 2))
    return (reading, ClockAnchor(clockID: host.id, monotonic: monotonic, database: database), floor)
  }

  private func store(_ anchor: ClockAnchor, _ source: ClockSource) throws(PostgresError) {
    _ = try connection.execute(
      """
      INSERT INTO clock_anchor (clock_id, monotonic_us, database_at, source)
      VALUES (\(anchor.clockID), \(anchor.monotonic), \(timestamp: anchor.database.microseconds), \(source.rawValue))
      ON CONFLICT (clock_id) DO UPDATE
      SET monotonic_us = excluded.monotonic_us, database_at = excluded.database_at, source = excluded.source
      """
    )
  }
}
