/// Reads Dataset B from a file: CSV (RFC 4180) or NDJSON, recognised by the first character that is not white space.
///
/// A file is taken whole or not at all: every row that is wrong is reported with its line, up to a limit.
public struct LocationFile: Sendable {
  /// The names of the two columns, and of the two fields of an NDJSON row.
  public static let oidColumn = "geographical_location_oid"
  /// See `oidColumn`.
  public static let nameColumn = "geographical_location"
  /// The longest name, in Unicode scalars.
  public static let maximumNameScalars = 5000

  /// A row that is wrong.
  public struct Problem: Error, Hashable, Sendable, CustomStringConvertible {
    /// Where the row begins, from 1.
    public var line: Int
    /// What is wrong with it.
    public var reason: String

    /// Line and reason.
    public var description: String { "line \(line): \(reason)" }
  }

  /// Why a file is refused.
  public struct Problems: Error, Sendable, CustomStringConvertible {
    /// In the order of the lines; the first `LocationFile.maximumProblems` of them.
    public var list: [Problem]

    /// One problem a line.
    public var description: String { list.map(\.description).joined(separator: "\n") }
  }

  /// How many problems are looked for before a file is given up.
  public static let maximumProblems = 20

  private var locations: [Location] = []
  private var lines: [Int64: Int] = [:]
  private(set) var problems: [Problem] = []

  private init() {}

  /// The rows of a file, in its order.
  /// - Throws: `Problems`.
  public static func parse(_ bytes: [UInt8]) throws(Problems) -> [Location] {
    var file = LocationFile()
    guard let text = String(validating: bytes, as: UTF8.self) else {
      throw Problems(list: [Problem(line: lineOfInvalidUTF8(bytes), reason: "not UTF-8")])
    }
    // Excel begins a CSV file with a byte order mark; `String` keeps it as a scalar.
    let scalars =
      text.unicodeScalars.first == "\u{FEFF}" ? text.unicodeScalars.dropFirst() : text.unicodeScalars[...]
    switch scalars.first(where: { !$0.properties.isWhitespace }) {
    case nil: file.problems = [Problem(line: 1, reason: "the file is empty; a header was expected")]
    case "{": file.readNDJSON(bytes, skipping: bytes.starts(with: [0xEF, 0xBB, 0xBF]) ? 3 : 0)
    default: file.readCSV(String(scalars))
    }
    guard file.problems.isEmpty else { throw Problems(list: file.problems) }
    return file.locations
  }

  private static func lineOfInvalidUTF8(_ bytes: [UInt8]) -> Int {
    var line = 1
    for row in bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
      if String(validating: row, as: UTF8.self) == nil { return line }
      line += 1
    }
    return line
  }

  mutating func report(_ line: Int, _ reason: String) {
    if problems.count < Self.maximumProblems { problems.append(Problem(line: line, reason: reason)) }
  }

  mutating func add(oid: Int64, name: String, line: Int) {
    if name.isEmpty {
      report(line, "\(Self.nameColumn) is empty")
    } else if name.unicodeScalars.contains("\0") {
      report(line, "\(Self.nameColumn) contains U+0000, which PostgreSQL cannot store")
    } else if name.unicodeScalars.count > Self.maximumNameScalars {
      report(line, "\(Self.nameColumn) is longer than \(Self.maximumNameScalars) characters")
    } else if let earlier = lines[oid] {
      report(line, "\(Self.oidColumn) \(oid) is there twice, first in line \(earlier)")
    } else {
      lines[oid] = line
      locations.append(Location(oid: oid, name: name))
    }
  }
}

// MARK: CSV

extension LocationFile {
  private mutating func readCSV(_ text: String) {
    var reader = CSVReader(text)
    var columns: (oid: Int, name: Int, count: Int)?
    while problems.count < Self.maximumProblems {
      let record: CSVReader.Record
      do {
        guard let next = try reader.next() else { break }
        record = next
      } catch {
        report(error.line, error.reason)
        return
      }
      if record.fields == [""] { continue }
      guard let (oid, name, count) = columns else {
        guard let oid = record.fields.firstIndex(of: Self.oidColumn),
          let name = record.fields.firstIndex(of: Self.nameColumn)
        else {
          report(record.line, "the header must name \(Self.oidColumn) and \(Self.nameColumn)")
          return
        }
        columns = (oid, name, record.fields.count)
        continue
      }
      guard record.fields.count == count else {
        report(record.line, "\(record.fields.count) fields where the header has \(count)")
        continue
      }
      guard let value = Self.integer(record.fields[oid]) else {
        report(record.line, "\(Self.oidColumn) is no 64-bit integer")
        continue
      }
      add(oid: value, name: record.fields[name], line: record.line)
    }
  }

  /// As `Int64.init`, but without its leading `+`.
  private static func integer(_ text: String) -> Int64? {
    text.hasPrefix("+") ? nil : Int64(text)
  }
}
