public import Counting
import Postgres

extension CountStore {
  /// Every location that has a name or has counted anything, by number; first the revision, then one row at a time.
  ///
  /// - Throws: `CountStoreError`, or the error of the closure that threw.
  public func eachLocation(
    maximumRows: Int = .max,
    begin: (_ revision: Int64) throws -> Void,
    row body: (_ oid: Int64, _ name: String?) throws -> Void
  ) throws {
    let statement: Query = """
      WITH known AS (
        SELECT geographical_location_oid FROM location
        UNION SELECT geographical_location_oid FROM counted_location)
      SELECT (SELECT coalesce(max(revision), 0) FROM revision), geographical_location_oid, geographical_location
      FROM (VALUES (1)) AS once LEFT JOIN known ON true LEFT JOIN location USING (geographical_location_oid)
      ORDER BY geographical_location_oid LIMIT \(Self.limit(maximumRows))
      """
    try eachRow(of: statement, maximumRows: maximumRows) { row, number throws in
      if number == 0 { try begin(try row.int64(0, 0)) }
      guard let oid = try row.optionalInt64(0, 1) else { return }
      try body(oid, try row.optionalString(0, 2))
    }
  }

  /// The names of all items whose names begin with `prefix`, in byte order; first the revision, then one at a time.
  ///
  /// - Throws: `CountStoreError`, or the error of the closure that threw.
  public func eachItem(
    prefix: String?,
    maximumRows: Int = .max,
    begin: (_ revision: Int64) throws -> Void,
    row body: (_ name: String) throws -> Void
  ) throws {
    let statement: Query = """
      SELECT (SELECT coalesce(max(revision), 0) FROM revision), item_name
      FROM (VALUES (1)) AS once LEFT JOIN item ON starts_with(item_name, \(prefix ?? ""))
      ORDER BY item_name COLLATE "C" LIMIT \(Self.limit(maximumRows))
      """
    try eachRow(of: statement, maximumRows: maximumRows) { row, number throws in
      if number == 0 { try begin(try row.int64(0, 0)) }
      guard let name = try row.optionalString(0, 1) else { return }
      try body(name)
    }
  }

  /// How far a time zone's clocks are ahead of UTC, in seconds, at each of these times.
  ///
  /// - Parameter zone: a name of the IANA database, as PostgreSQL knows it.
  /// - Throws: `CountStoreError.unknownTimeZone`, `.postgres`.
  public func offsets(of zone: String, at times: [Timestamp]) throws(CountStoreError) -> [Int] {
    do {
      let result = try connection.execute(
        """
        SELECT extract(epoch FROM (time AT TIME ZONE \(zone)) - (time AT TIME ZONE 'UTC'))::bigint
        FROM unnest(\(timestamps: times.map(\.microseconds))) WITH ORDINALITY AS asked(time, number) ORDER BY number
        """
      )
      var offsets: [Int] = []
      offsets.reserveCapacity(times.count)
      for row in 0..<result.count { offsets.append(Int(try result.int64(row, 0))) }
      return offsets
    } catch {
      throw error.sqlState == .invalidParameterValue ? .unknownTimeZone : .postgres(error)
    }
  }
}
