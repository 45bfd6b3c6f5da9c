/// Rows as CSV (RFC 4180): a header, CRLF, quotes where they are needed, null as nothing.
struct CSVRecords: RecordWriter {
  private var bytes: [UInt8] = []
  private let escapesFormulas: Bool
  private var isFirst = true

  init(_ columns: ColumnList, escapesFormulas: Bool, capacity: Int = 4096) {
    self.escapesFormulas = escapesFormulas
    bytes.reserveCapacity(capacity)
    beginRecord()
    for column in columns.columns {
      separate()
      column.name.withUTF8Buffer { bytes.append(contentsOf: $0) }
    }
    endRecord()
  }

  var count: Int { bytes.count }

  mutating func beginRecord() { isFirst = true }

  mutating func endRecord() {
    bytes.append(UInt8(ascii: "\r"))
    bytes.append(UInt8(ascii: "\n"))
  }

  mutating func identifier(_: StaticString, _ value: Int64?) { number(value) }
  mutating func integer(_: StaticString, _ value: Int64?) { number(value) }

  mutating func millionths(_: StaticString, _ value: Int64?) {
    separate()
    if let value { appendMillionths(value, to: &bytes) }
  }

  mutating func time(_: StaticString, _ value: DisplayTime) {
    separate()
    if let time = value.bytes { bytes.append(contentsOf: time) }
  }

  /// A cell that begins like a formula gets an apostrophe in front, which spreadsheets take as "this is text"
  /// (OWASP, "CSV Injection"). Empty text has quotes, and so is not null.
  mutating func text(_: StaticString, _ value: String?) {
    separate()
    guard let value else { return }
    let cell = value.utf8
    let isFormula = escapesFormulas && cell.first.map { "=+-@\t\r".utf8.contains($0) } == true
    let needsQuotes = cell.isEmpty || cell.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0D || $0 == 0x0A }
    if needsQuotes { bytes.append(UInt8(ascii: "\"")) }
    if isFormula { bytes.append(UInt8(ascii: "'")) }
    if needsQuotes {
      for byte in cell {
        if byte == UInt8(ascii: "\"") { bytes.append(byte) }
        bytes.append(byte)
      }
      bytes.append(UInt8(ascii: "\""))
    } else {
      bytes.append(contentsOf: cell)
    }
  }

  mutating func take() -> [UInt8] {
    var taken: [UInt8] = []
    swap(&taken, &bytes)
    return taken
  }

  mutating func finish() -> [UInt8] { take() }

  private mutating func number(_ value: Int64?) {
    separate()
    if let value { bytes.append(contentsOf: String(value).utf8) }
  }

  private mutating func separate() {
    if !isFirst { bytes.append(UInt8(ascii: ",")) }
    isFirst = false
  }
}
