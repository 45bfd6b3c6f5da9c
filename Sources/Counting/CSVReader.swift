/// The records of RFC 4180: fields may be quoted, and then contain commas, line breaks and doubled quotes.
struct CSVReader {
  struct Record {
    var line: Int
    var fields: [String]
  }

  private var rest: Substring.UnicodeScalarView
  private var line = 1

  init(_ text: String) { rest = text[...].unicodeScalars }

  mutating func next() throws(LocationFile.Problem) -> Record? {
    guard !rest.isEmpty else { return nil }
    var record = Record(line: line, fields: [])
    while true {
      record.fields.append(rest.first == "\"" ? try quoted() : try plain())
      switch rest.popFirst() {
      case ",": continue
      case "\n", nil:
        line += 1
        return record
      case let other?:
        throw LocationFile.Problem(line: line, reason: "\(other.debugDescription) behind a closing quote")
      }
    }
  }

  /// Leaves the comma or the line's last character in `rest`.
  private mutating func plain() throws(LocationFile.Problem) -> String {
    var field = String.UnicodeScalarView()
    while let next = rest.first, next != ",", next != "\n" {
      guard next != "\"" else {
        throw LocationFile.Problem(line: line, reason: "a quote inside of an unquoted field")
      }
      rest.removeFirst()
      field.append(next)
    }
    if field.last == "\r", rest.first != "," { field.removeLast() }
    return String(field)
  }

  private mutating func quoted() throws(LocationFile.Problem) -> String {
    let start = line
    rest.removeFirst()
    var field = String.UnicodeScalarView()
    while let next = rest.popFirst() {
      if next == "\"" {
        guard rest.first == "\"" else {
          if rest.first == "\r" { rest.removeFirst() }
          return String(field)
        }
        rest.removeFirst()
      }
      if next == "\n" { line += 1 }
      field.append(next)
    }
    throw LocationFile.Problem(line: start, reason: "a quoted field is not closed")
  }
}
