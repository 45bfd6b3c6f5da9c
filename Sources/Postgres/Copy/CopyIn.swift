import CLibpq

/// The rows of one `COPY … FROM STDIN (FORMAT binary)`.
///
/// Fields are appended in the columns' order after each ``row(columns:)``; the types must be the columns' own,
/// because COPY converts nothing. Bytes collect in one buffer and go out in pieces of 64 KiB. A fault is kept
/// and thrown by the next `row` or at the end, so that appending needs no `try`.
///
/// Source: PostgreSQL documentation, COPY, "Binary Format".
public struct CopyIn: ~Copyable {
  /// Where the bytes go: libpq, or a test.
  enum Sink {
    case connection(OpaquePointer)
    case memory
  }

  @usableFromInline static var pieceSize: Int { 64 * 1024 }

  @usableFromInline var buffer = BinaryBuffer(capacity: CopyIn.pieceSize)
  /// Fields that the current row still lacks.
  @usableFromInline var missing = 0
  @usableFromInline var failure: PostgresError?
  private let sink: Sink
  private let sql: String

  /// Signature, no flags, no header extension.
  private static let header: [UInt8] =
    Array("PGCOPY\n".utf8) + [0xFF, 0x0D, 0x0A, 0x00] + [UInt8](repeating: 0, count: 8)

  init(_ sink: Sink, sql: String) {
    self.sink = sink
    self.sql = sql
    Self.header.withUnsafeBytes { buffer.store($0) }
  }

  /// Starts a row of that many fields.
  ///
  /// - Throws: what went wrong since the last row. Rows with too few fields are our own mistake and trap.
  @inlinable
  public mutating func row(columns: Int) throws(PostgresError) {
    precondition(missing == 0, "the previous row lacks fields")
    if let failure { throw failure }
    reserve(2)
    buffer.store(Int16(columns))
    missing = columns
  }

  /// A `bigint`.
  @inlinable
  public mutating func append(int64 value: Int64) {
    startField(room: 12)
    buffer.store(8 as Int32)
    buffer.store(value)
  }

  /// An `integer`.
  @inlinable
  public mutating func append(int32 value: Int32) {
    startField(room: 8)
    buffer.store(4 as Int32)
    buffer.store(value)
  }

  /// A `smallint`.
  @inlinable
  public mutating func append(int16 value: Int16) {
    startField(room: 6)
    buffer.store(2 as Int32)
    buffer.store(value)
  }

  /// A `boolean`.
  @inlinable
  public mutating func append(bool value: Bool) {
    startField(room: 5)
    buffer.store(1 as Int32)
    buffer.store(value ? 1 as UInt8 : 0)
  }

  /// A `timestamptz`, microseconds since 1970-01-01T00:00:00Z; outside of PostgreSQL's range the COPY fails
  /// with SQLSTATE 22008.
  @inlinable
  public mutating func append(timestamp microseconds: Int64) {
    startField(room: 12)
    let (shifted, overflow) = microseconds.subtractingReportingOverflow(Self.epoch)
    if overflow || shifted == .min || shifted == .max { refuseTimestamp() }
    buffer.store(8 as Int32)
    buffer.store(shifted)
  }

  /// A `bytea`, or a `text` that is known to be UTF-8.
  @inlinable
  public mutating func append(bytes: UnsafeRawBufferPointer) {
    startField(room: 4)
    if bytes.count <= buffer.free - 4 {
      buffer.store(Int32(truncatingIfNeeded: bytes.count))
      buffer.store(bytes)
    } else {
      appendLarge(bytes)
    }
  }

  /// A `bytea`, or a `text` that is known to be UTF-8.
  @inlinable
  public mutating func append(bytes: [UInt8]) {
    bytes.withUnsafeBytes { append(bytes: $0) }
  }

  /// A `text`.
  @inlinable
  public mutating func append(text: String) {
    var text = text
    text.withUTF8 { append(bytes: UnsafeRawBufferPointer($0)) }
  }

  /// NULL.
  @inlinable
  public mutating func appendNull() {
    startField(room: 4)
    buffer.store(-1 as Int32)
  }

  @usableFromInline static var epoch: Int64 { PostgresEpoch.microseconds }

  @inlinable
  mutating func startField(room: Int) {
    precondition(missing > 0, "the row has all its fields")
    missing -= 1
    reserve(room)
  }

  @inlinable
  mutating func reserve(_ room: Int) {
    if buffer.free < room { flush() }
  }

  /// Sends what has collected. After a fault the bytes are dropped; the COPY ends with that fault.
  @usableFromInline
  mutating func flush() {
    switch sink {
    case .memory: buffer.reserve(Self.pieceSize)
    case .connection:
      send(buffer.bytes)
      buffer.count = 0
    }
  }

  /// A field that does not fit what is left of the piece; one that is larger than a piece goes out uncopied.
  @usableFromInline
  mutating func appendLarge(_ bytes: UnsafeRawBufferPointer) {
    // PostgreSQL's limit for one value is 1 GiB; the server says so for what is a little below.
    guard bytes.count < 1 << 30 else {
      fail("a field is larger than PostgreSQL's limit of 1 GiB", .programLimitExceeded)
      buffer.store(-1 as Int32)
      return
    }
    buffer.store(Int32(truncatingIfNeeded: bytes.count))
    flush()
    if bytes.count <= buffer.free {
      buffer.store(bytes)
    } else if case .memory = sink {
      buffer.reserve(bytes.count)
      buffer.store(bytes)
    } else {
      send(bytes)
    }
  }

  @usableFromInline
  mutating func refuseTimestamp() {
    fail("a time is outside of PostgreSQL's range", .datetimeFieldOverflow)
  }

  /// Writes the trailer and sends the rest.
  mutating func finish() throws(PostgresError) {
    precondition(missing == 0, "the last row lacks fields")
    reserve(2)
    buffer.store(-1 as Int16)
    if case .connection = sink { flush() }
    if let failure { throw failure }
  }

  private mutating func fail(_ message: String, _ state: SQLState) {
    if failure == nil { failure = PostgresError(.value, message, sqlState: state, sql: sql) }
  }

  private mutating func send(_ bytes: UnsafeRawBufferPointer) {
    guard case .connection(let handle) = sink, failure == nil, let start = bytes.baseAddress else { return }
    let count = Int32(truncatingIfNeeded: bytes.count)
    if PQputCopyData(handle, start.assumingMemoryBound(to: CChar.self), count) != 1 {
      failure = PostgresError(handle: handle, sql: sql)
    }
  }
}
