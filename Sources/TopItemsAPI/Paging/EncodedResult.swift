import APICore
import JSONText

/// A whole result as JSON, to be given out in pages.
struct EncodedResult: PagedResult {
  /// The object `meta`.
  var meta: [UInt8]
  /// The rows, with commas between them.
  var records: [UInt8]
  /// Where each row ends.
  var ends: [Int]

  /// How much memory it takes, in bytes.
  var memoryBytes: Int { meta.memoryBytes + records.memoryBytes + ends.memoryBytes }

  /// The same without room to grow.
  func trimmed() -> EncodedResult {
    EncodedResult(meta: meta.trimmed(), records: records.trimmed(), ends: ends.trimmed())
  }

  /// The envelope around some of the rows.
  func page(rows: Range<Int>, next: (url: String, cursor: String)?) -> [UInt8] {
    let start = rows.lowerBound == 0 ? 0 : ends[rows.lowerBound - 1] + 1
    let end = rows.isEmpty ? start : ends[rows.upperBound - 1]
    var json = JSONWriter(capacity: 256 + meta.count + end - start)
    json.object { json in
      json.name("meta")
      json.value(meta)
      json.name("data")
      json.array { json in json.members(records[start..<end]) }
      json.name("rows")
      json.integer(rows.count)
      json.name("next")
      if let next { json.string(next.url) } else { json.null() }
      json.name("next_cursor")
      if let next { json.string(next.cursor) } else { json.null() }
    }
    return json.bytes
  }
}

/// Encodes the rows of a page as they come.
struct EnvelopeWriter {
  /// More is not held in memory for one response, in bytes.
  static let limit = 64 * 1024 * 1024

  private var writer: JSONRecords
  private var ends: [Int] = []

  init(integers: IntegerStyle) {
    writer = JSONRecords(.members, integers: integers)
  }

  /// - Throws: `answerTooLong`.
  mutating func add(_ record: some Record) throws(APIError) {
    record.write(to: &writer)
    guard writer.count <= Self.limit else { throw .answerTooLong(bytes: Self.limit) }
    ends.append(writer.count)
  }

  mutating func result(meta: [UInt8]) -> EncodedResult {
    EncodedResult(meta: meta, records: writer.finish(), ends: ends)
  }
}
