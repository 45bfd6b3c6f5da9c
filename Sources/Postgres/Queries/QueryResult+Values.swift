/// Reading single values. Each reader takes the types whose every value it can hold.
extension QueryResult {
  /// A `bigint`, or any other integer type, or a `numeric` that is a whole number (`sum(bigint)` is one).
  public func int64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
    try required(try optionalInt64(row, column), column)
  }

  /// As ``int64(_:_:)``, nil for NULL.
  public func optionalInt64(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
    guard let cell = cell(row, column) else { return nil }
    let value: Int64?
    switch typeOID(column) {
    case TypeOID.int8: value = cell.bigEndian(0, as: Int64.self)
    case TypeOID.int4: value = cell.bigEndian(0, as: Int32.self).map(Int64.init)
    case TypeOID.int2: value = cell.bigEndian(0, as: Int16.self).map(Int64.init)
    case TypeOID.oid: value = cell.bigEndian(0, as: UInt32.self).map(Int64.init)
    case TypeOID.numeric: value = wholeNumber(numeric: cell)
    default: value = nil
    }
    guard let value else { throw unreadable(row, column, as: "a 64-bit integer") }
    return value
  }

  /// An `integer` or `smallint`, or a wider one whose value fits.
  public func int32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32 {
    try required(try optionalInt32(row, column), column)
  }

  /// As ``int32(_:_:)``, nil for NULL.
  public func optionalInt32(_ row: Int, _ column: Int) throws(PostgresError) -> Int32? {
    guard let wide = try optionalInt64(row, column) else { return nil }
    guard let value = Int32(exactly: wide) else { throw unreadable(row, column, as: "a 32-bit integer") }
    return value
  }

  /// A `boolean`.
  public func bool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool {
    try required(try optionalBool(row, column), column)
  }

  /// As ``bool(_:_:)``, nil for NULL.
  public func optionalBool(_ row: Int, _ column: Int) throws(PostgresError) -> Bool? {
    guard let cell = cell(row, column) else { return nil }
    guard typeOID(column) == TypeOID.bool, let byte = cell.first else {
      throw unreadable(row, column, as: "a boolean")
    }
    return byte != 0
  }

  /// A `double precision` or `real`; cast a `numeric` in the SQL.
  public func double(_ row: Int, _ column: Int) throws(PostgresError) -> Double {
    try required(try optionalDouble(row, column), column)
  }

  /// As ``double(_:_:)``, nil for NULL.
  public func optionalDouble(_ row: Int, _ column: Int) throws(PostgresError) -> Double? {
    guard let cell = cell(row, column) else { return nil }
    let value: Double?
    switch typeOID(column) {
    case TypeOID.float8: value = cell.bigEndian(0, as: UInt64.self).map(Double.init(bitPattern:))
    case TypeOID.float4: value = cell.bigEndian(0, as: UInt32.self).map { Double(Float(bitPattern: $0)) }
    default: value = nil
    }
    guard let value else { throw unreadable(row, column, as: "a double") }
    return value
  }

  /// A `text`, `varchar`, `name`, `json`, `jsonb` or another type whose binary form is its text.
  public func string(_ row: Int, _ column: Int) throws(PostgresError) -> String {
    try required(try optionalString(row, column), column)
  }

  /// As ``string(_:_:)``, nil for NULL.
  public func optionalString(_ row: Int, _ column: Int) throws(PostgresError) -> String? {
    guard var cell = cell(row, column) else { return nil }
    let type = typeOID(column)
    // jsonb_send puts a version number before the text.
    if type == TypeOID.jsonb { cell = UnsafeRawBufferPointer(rebasing: cell.dropFirst()) }
    guard !TypeOID.notText.contains(type), let text = String(validating: cell, as: UTF8.self) else {
      throw unreadable(row, column, as: "text")
    }
    return text
  }

  /// A `bytea`'s bytes, or a text's UTF-8.
  public func bytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8] {
    try required(try optionalBytes(row, column), column)
  }

  /// As ``bytes(_:_:)``, nil for NULL.
  public func optionalBytes(_ row: Int, _ column: Int) throws(PostgresError) -> [UInt8]? {
    guard let cell = cell(row, column) else { return nil }
    guard isBytesOrText(column) else { throw unreadable(row, column, as: "bytes") }
    return [UInt8](cell)
  }

  /// A `bytea`'s bytes or a text's UTF-8 without a copy, valid inside the closure; nil for NULL.
  public func withBytes<T>(
    _ row: Int,
    _ column: Int,
    _ body: (UnsafeRawBufferPointer?) throws(PostgresError) -> T
  ) throws(PostgresError) -> T {
    guard let cell = cell(row, column) else { return try body(nil) }
    guard isBytesOrText(column) else { throw unreadable(row, column, as: "bytes") }
    return try body(cell)
  }

  /// A `timestamptz` (or a `timestamp`, taken as UTC) in microseconds since 1970-01-01T00:00:00Z; `infinity`
  /// cannot be read.
  public func timestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64 {
    try required(try optionalTimestamp(row, column), column)
  }

  /// As ``timestamp(_:_:)``, nil for NULL.
  public func optionalTimestamp(_ row: Int, _ column: Int) throws(PostgresError) -> Int64? {
    guard let cell = cell(row, column) else { return nil }
    let type = typeOID(column)
    guard type == TypeOID.timestamptz || type == TypeOID.timestamp,
      let time = cell.bigEndian(0, as: Int64.self), time != .min, time != .max
    else { throw unreadable(row, column, as: "a finite timestamp") }
    let (shifted, overflow) = time.addingReportingOverflow(PostgresEpoch.microseconds)
    guard !overflow else { throw unreadable(row, column, as: "a timestamp since 1970") }
    return shifted
  }

  private func isBytesOrText(_ column: Int) -> Bool {
    let type = typeOID(column)
    return type == TypeOID.bytea || !TypeOID.notText.contains(type)
  }
}

extension UnsafeRawBufferPointer {
  /// A number in network order, nil beyond the end.
  func bigEndian<Number: FixedWidthInteger>(_ offset: Int, as type: Number.Type) -> Number? {
    guard offset >= 0, count - offset >= MemoryLayout<Number>.size else { return nil }
    return Number(bigEndian: loadUnaligned(fromByteOffset: offset, as: Number.self))
  }
}
