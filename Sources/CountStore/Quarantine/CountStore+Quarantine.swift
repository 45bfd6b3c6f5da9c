import Counting
import Postgres

extension CountStore {
  /// Stores the quarantined events of a batch. A replay finds its row already there.
  static func quarantine(_ batch: Batch) -> [Query] {
    let events = batch.quarantined
    guard !events.isEmpty else { return [] }
    return [
      """
      INSERT INTO quarantine (topic, partition, "offset", reason, detection_oid, geographical_location_oid,
                              video_camera_oid, item_name, detected_at)
      SELECT topic, partition, "offset", reason, detection_oid, location, camera, convert_from(item_name, 'UTF8'),
             detected_at
      FROM unnest(\(events.map { batch.parts[Int($0.part)].topic }), \(events.map { batch.parts[Int($0.part)].partition }),
                  \(events.map(\.offset)), \(events.map { $0.fate == .late ? "late" : "future" }),
                  \(events.map(\.oid)), \(events.map(\.location)), \(events.map(\.camera)), \(events.map(\.itemName)),
                  \(timestamps: events.map(\.detectedAt.microseconds)))
        AS quarantined(topic, partition, "offset", reason, detection_oid, location, camera, item_name, detected_at)
      ON CONFLICT (topic, partition, "offset") DO NOTHING
      """
    ]
  }

  private static let quarantineColumns: Query =
    """
    SELECT topic, partition, "offset", reason, detection_oid, geographical_location_oid, video_camera_oid, item_name,
           detected_at, recorded_at
    FROM quarantine
    """

  /// Lists quarantined events by partition and offset.
  ///
  /// - Parameters:
  ///   - after: where the last page ended.
  ///   - limit: how many at most.
  /// - Throws: `PostgresError`.
  public func quarantinedEvents(_ filter: QuarantineFilter, after: MessagePosition? = nil, limit: Int)
    throws(PostgresError) -> [QuarantinedEvent]
  {
    try events(
      "\(Self.quarantineColumns) WHERE \(Self.condition(filter, after: after)) ORDER BY 1, 2, 3 LIMIT \(limit)"
    )
  }

  /// Counts, exactly once, the events whose time was ahead when they came and has come since; the oldest first. Cheap
  /// when there is none, and safe on any number of connections at once: meant to be called every few seconds.
  ///
  /// - Parameters:
  ///   - now: the time that must have come. What is counted cannot be quarantined again, so a wrong clock must not do
  ///     it.
  ///   - limit: how many at most; one transaction takes 200.
  /// - Throws: `PostgresError`; to try again is safe.
  public func releaseDueQuarantine(
    at now: AgreedTime,
    limit: Int
  ) throws(PostgresError) -> ReleaseReport {
    let due = try events(
      """
      \(Self.quarantineColumns) WHERE reason = 'future' AND detected_at <= \(timestamp: now.time.microseconds)
      ORDER BY detected_at LIMIT \(min(limit, Self.readmissionBatch))
      """
    )
    return try release(due, late: .none)
  }

  /// Releases the next events of a filter: future ones whose time has come, and late ones as `late` says.
  ///
  /// - Parameters:
  ///   - after: the last position of the previous call.
  ///   - limit: how many at most; one transaction takes 200.
  /// - Throws: `PostgresError`; it is safe to repeat the call.
  public func releaseQuarantine(
    _ filter: QuarantineFilter,
    after: MessagePosition?,
    limit: Int,
    late: LateRelease
  ) throws(PostgresError) -> ReleaseReport {
    let due: Query =
      late == .none
      ? "reason = 'future' AND detected_at <= now()"
      : "(reason = 'late' OR reason = 'future' AND detected_at <= now())"
    let events = try events(
      """
      \(Self.quarantineColumns) WHERE \(due) AND \(Self.condition(filter, after: after))
      ORDER BY 1, 2, 3 LIMIT \(min(limit, Self.readmissionBatch))
      """
    )
    var report = try release(events, late: late)
    report.last = events.last?.position
    return report
  }

  private func release(_ events: [QuarantinedEvent], late: LateRelease)
    throws(PostgresError) -> ReleaseReport
  {
    var report = ReleaseReport()
    report.examined = events.count
    guard !events.isEmpty else { return report }
    var uncertain = 0
    let result = try readmit(
      events.map(Readmission.init),
      from: .quarantine
    ) { message, bounds in
      let time = message.event.detectedAt
      guard message.fate == .late else {
        // One that waited until the floor had passed it is late now.
        return time > bounds.now ? nil : time < bounds.floor ? .late : .counted
      }
      guard bounds.isCertain(time) || late == .forced else {
        uncertain += 1
        return nil
      }
      return .counted
    }
    report.readmitted = result.report
    report.readmitted.left -= uncertain
    report.uncertain = uncertain
    report.refused = result.refused.count
    return report
  }

  private func events(_ query: Query) throws(PostgresError) -> [QuarantinedEvent] {
    let result = try connection.execute(query)
    var events: [QuarantinedEvent] = []
    for row in 0..<result.count {
      events.append(
        QuarantinedEvent(
          position: try Self.position(result, row),
          reason: Fate(rawValue: try result.string(row, 3)) ?? .late,
          oid: try result.int64(row, 4),
          location: try result.int64(row, 5),
          camera: try result.int64(row, 6),
          itemName: try result.string(row, 7),
          detectedAt: Timestamp(microseconds: try result.timestamp(row, 8)),
          recordedAt: Timestamp(microseconds: try result.timestamp(row, 9))
        )
      )
    }
    return events
  }

  private static func condition(_ filter: QuarantineFilter, after: MessagePosition?) -> Query {
    var condition: Query = "true"
    if let topic = filter.topic { condition = "\(condition) AND topic = \(topic)" }
    if let partition = filter.partition { condition = "\(condition) AND partition = \(partition)" }
    if let reason = filter.reason { condition = "\(condition) AND reason = \(reason.rawValue)" }
    if let since = filter.since {
      condition = "\(condition) AND detected_at >= \(timestamp: since.microseconds)"
    }
    if let until = filter.until {
      condition = "\(condition) AND detected_at < \(timestamp: until.microseconds)"
    }
    return "\(condition) AND \(Self.condition(after: after))"
  }
}

extension Readmission {
  init(_ event: QuarantinedEvent) {
    self.init(
      position: event.position,
      fate: event.reason,
      event: Batch.QuarantinedEvent(
        part: 0,
        offset: event.position.offset,
        fate: event.reason,
        oid: event.oid,
        location: event.location,
        camera: event.camera,
        itemName: [UInt8](event.itemName.utf8),
        detectedAt: event.detectedAt
      )
    )
  }
}
