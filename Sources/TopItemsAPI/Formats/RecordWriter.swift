/// Takes the rows of a response field by field and writes them in one format.
///
/// Every row has the same fields in the same order; nil is null.
protocol RecordWriter {
  /// What is written and not taken yet.
  var count: Int { get }
  mutating func beginRecord()
  mutating func endRecord()
  /// A 64-bit identifier.
  mutating func identifier(_ name: StaticString, _ value: Int64?)
  /// A count or a rank.
  mutating func integer(_ name: StaticString, _ value: Int64?)
  /// A number with up to six decimals, in millionths.
  mutating func millionths(_ name: StaticString, _ value: Int64?)
  /// Text from outside.
  mutating func text(_ name: StaticString, _ value: String?)
  /// A time in RFC 3339.
  mutating func time(_ name: StaticString, _ value: DisplayTime)
  /// Ends what is written, and gives it away together with what was not taken yet.
  mutating func finish() -> [UInt8]
  /// Gives away what was written so far.
  mutating func take() -> [UInt8]
}

/// A row that can be written in every format.
protocol Record {
  func write(to writer: inout some RecordWriter)
}

/// The fields of a record: names and types, in their order.
struct ColumnList: RecordWriter {
  private(set) var columns: [(name: StaticString, type: StaticString)] = []

  /// The fields that a record writes; its values do not matter.
  init(of record: some Record) {
    record.write(to: &self)
  }

  var count: Int { 0 }
  mutating func beginRecord() {}
  mutating func endRecord() {}
  mutating func identifier(_ name: StaticString, _: Int64?) { columns.append((name, "int64")) }
  mutating func integer(_ name: StaticString, _: Int64?) { columns.append((name, "int64")) }
  mutating func millionths(_ name: StaticString, _: Int64?) { columns.append((name, "double")) }
  mutating func text(_ name: StaticString, _: String?) { columns.append((name, "string")) }
  mutating func time(_ name: StaticString, _: DisplayTime) { columns.append((name, "timestamp")) }
  mutating func finish() -> [UInt8] { [] }
  mutating func take() -> [UInt8] { [] }
}

/// A value in millionths as a decimal number without needless zeros.
func appendMillionths(_ value: Int64, to bytes: inout [UInt8]) {
  let (whole, rest) = value.magnitude.quotientAndRemainder(dividingBy: 1_000_000)
  if value < 0 { bytes.append(UInt8(ascii: "-")) }
  bytes.append(contentsOf: String(whole).utf8)
  guard rest > 0 else { return }
  var digits = Array(String(1_000_000 + rest).utf8.dropFirst())
  while digits.last == UInt8(ascii: "0") { digits.removeLast() }
  bytes.append(UInt8(ascii: "."))
  bytes.append(contentsOf: digits)
}
