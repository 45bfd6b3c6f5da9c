/// The arguments of one execution in PostgreSQL's binary format, all in one buffer that is reused.
///
/// Arrays are written element by element into that buffer, without an allocation of their own. Source of the
/// formats: the `*_recv` functions, for arrays `array_recv` in `src/backend/utils/adt/arrayfuncs.c`.
struct ParameterBuffer: ~Copyable {
  /// The server's limit for one message and for one value (`MaxAllocSize`).
  private static var longestMessage: Int { (1 << 30) - 1 }
  /// A buffer that grew beyond this is given back after use.
  private static var kept: Int { 4 << 20 }

  private var buffer = BinaryBuffer(capacity: 4096)
  private(set) var types: [UInt32] = []
  private(set) var lengths: [Int32] = []
  private(set) var formats: [Int32] = []
  private var offsets: [Int] = []

  var count: Int { types.count }
  var bytes: UnsafeRawBufferPointer { buffer.bytes }

  /// Pointers as libpq wants them, nil for NULL; valid until the next `encode`.
  var pointers: [UnsafePointer<CChar>?] {
    let base = UnsafePointer(buffer.base.assumingMemoryBound(to: CChar.self))
    return offsets.map { $0 < 0 ? nil : base + $0 }
  }

  /// Replaces what was encoded before.
  mutating func encode(_ values: [Value]) throws(PostgresError) {
    types.removeAll(keepingCapacity: true)
    lengths.removeAll(keepingCapacity: true)
    formats.removeAll(keepingCapacity: true)
    offsets.removeAll(keepingCapacity: true)
    buffer.reset(keeping: Self.kept)
    for value in values {
      types.append(value.typeOID)
      formats.append(1)
      let start = buffer.count
      if try write(value) {
        offsets.append(start)
        lengths.append(Int32(truncatingIfNeeded: buffer.count - start))
      } else {
        offsets.append(-1)
        lengths.append(0)
      }
    }
  }

  /// Writes one value; false for NULL, which has no bytes.
  private mutating func write(_ value: Value) throws(PostgresError) -> Bool {
    switch value {
    case .null, .nullOf: return false
    case .bool(let bool):
      try reserve(1)
      buffer.store(bool ? 1 as UInt8 : 0)
    case .int32(let number):
      try reserve(4)
      buffer.store(number)
    case .int64(let number):
      try reserve(8)
      buffer.store(number)
    case .double(let number):
      try reserve(8)
      buffer.store(number.bitPattern)
    case .timestamp(let microseconds):
      try reserve(8)
      buffer.store(try postgresTime(microseconds))
    case .text(let text): try write(text)
    case .bytes(let bytes): try write(bytes)
    case .int32Array(let numbers):
      try writeHeader(count: numbers.count, of: TypeOID.int4, elementSize: 8)
      for number in numbers {
        buffer.store(4 as Int32)
        buffer.store(number)
      }
    case .int64Array(let numbers):
      try writeHeader(count: numbers.count, of: TypeOID.int8, elementSize: 12)
      for number in numbers {
        buffer.store(8 as Int32)
        buffer.store(number)
      }
    case .timestampArray(let times):
      try writeHeader(count: times.count, of: TypeOID.timestamptz, elementSize: 12)
      for time in times {
        buffer.store(8 as Int32)
        buffer.store(try postgresTime(time))
      }
    case .textArray(let texts):
      try writeHeader(count: texts.count, of: TypeOID.text, elementSize: 4)
      for text in texts { try writeElement(text) }
    case .optionalTextArray(let texts):
      try writeHeader(count: texts.count, of: TypeOID.text, elementSize: 4, hasNulls: texts.contains(nil))
      for text in texts {
        if let text {
          try writeElement(text)
        } else {
          try reserve(4)
          buffer.store(-1 as Int32)
        }
      }
    case .bytesArray(let elements):
      try writeHeader(count: elements.count, of: TypeOID.bytea, elementSize: 4)
      for element in elements {
        try reserve(4)
        buffer.store(Int32(truncatingIfNeeded: element.count))
        try write(element)
      }
    }
    return true
  }

  /// Dimensions (none for an empty array), the NULL flag, the element type, the length and the lower bound.
  private mutating func writeHeader(
    count: Int,
    of element: UInt32,
    elementSize: Int,
    hasNulls: Bool = false
  ) throws(PostgresError) {
    try reserve(20 + count * elementSize)
    buffer.store(count == 0 ? 0 as Int32 : 1)
    buffer.store(hasNulls ? 1 as Int32 : 0)
    buffer.store(element)
    guard count > 0 else { return }
    buffer.store(Int32(truncatingIfNeeded: count))
    buffer.store(1 as Int32)
  }

  private mutating func writeElement(_ text: String) throws(PostgresError) {
    try reserve(4)
    buffer.store(Int32(truncatingIfNeeded: text.utf8.count))
    try write(text)
  }

  private mutating func write(_ text: String) throws(PostgresError) {
    try reserve(text.utf8.count)
    var text = text
    text.withUTF8 { buffer.store(UnsafeRawBufferPointer($0)) }
  }

  private mutating func write(_ bytes: [UInt8]) throws(PostgresError) {
    try reserve(bytes.count)
    bytes.withUnsafeBytes { buffer.store($0) }
  }

  /// Every length fits 32 bits because the whole message stays below 1 GiB, the server's own limit.
  private mutating func reserve(_ additional: Int) throws(PostgresError) {
    guard additional <= Self.longestMessage - buffer.count else {
      throw PostgresError(
        .value,
        "the arguments are larger than PostgreSQL's limit of 1 GiB",
        sqlState: .programLimitExceeded
      )
    }
    buffer.reserve(additional)
  }

  private func postgresTime(_ microseconds: Int64) throws(PostgresError) -> Int64 {
    let (shifted, overflow) = microseconds.subtractingReportingOverflow(PostgresEpoch.microseconds)
    // The two extremes of the format mean -infinity and infinity.
    guard !overflow, shifted != .min, shifted != .max else {
      throw PostgresError(
        .value,
        "a time is outside of PostgreSQL's range",
        sqlState: .datetimeFieldOverflow
      )
    }
    return shifted
  }
}
