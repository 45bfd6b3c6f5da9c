import CountStore
import Counting
import JSONText

/// Writes entities as JSON (OData JSON Format 4.0).
struct ODataPayload: Sendable {
  /// The absolute address of the service, with a slash at its end.
  var root: String
  var set: ODataEntitySet
  var format: ODataFormat
  /// What the context says about the properties: see `ODataQuery`.
  var projection = ""
  /// Whether the rows are entities of the set.
  var hasEntities = true
  /// What is shown of each row. (With full metadata, a row may have further values behind them: those of the key.)
  var columns: [BIColumn]

  var context: String { "\(root)$metadata#\(set.name)\(projection)" }

  /// The beginning of a collection, up to its first entity.
  func head(count: Int64?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      if format.metadata != .none {
        json.name("@odata.context")
        json.string(context)
      }
      if let count {
        json.name("@odata.count")
        write(count, .int64, &json)
      }
      json.name("value")
      json.array { _ in }
    }
    return Array(json.bytes.dropLast(2))
  }

  /// What follows the last entity of a collection.
  static func tail(next: String?) -> [UInt8] {
    guard let next else { return Array("]}".utf8) }
    var json = JSONWriter()
    json.object { json in
      json.name("@odata.nextLink")
      json.string(next)
    }
    return Array("],".utf8) + json.bytes.dropFirst()
  }

  /// One entity of a collection.
  func row(_ values: [BIValue], key: [BIValue]) -> [UInt8] {
    var json = JSONWriter(capacity: 256)
    json.object { json in members(values, key: key, &json) }
    return json.bytes
  }

  /// A whole response of one entity.
  func entity(_ values: [BIValue], key: [BIValue]) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      if format.metadata != .none {
        json.name("@odata.context")
        json.string(context + "/$entity")
      }
      members(values, key: key, &json)
    }
    return json.bytes
  }

  /// A whole response of one property, which is not null.
  func property(_ value: BIValue, _ column: BIColumn, key: [BIValue]) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      if format.metadata != .none {
        json.name("@odata.context")
        json.string("\(root)$metadata#\(identifier(key))/\(column.name)")
      }
      if format.metadata == .full, column.type != .text {
        json.name("@odata.type")
        json.string("#" + column.type.edm.dropFirst("Edm.".count))
      }
      json.name("value")
      write(value, column.type, &json)
    }
    return json.bytes
  }

  private func members(_ values: [BIValue], key: [BIValue], _ json: inout JSONWriter) {
    if format.metadata == .full, hasEntities {
      json.name("@odata.type")
      json.string("#\(ODataEntitySet.namespace).\(set.entityType.rawValue)")
      json.name("@odata.id")
      json.string(root + identifier(key))
    }
    for (column, value) in zip(columns, values) {
      // A reader guesses texts right, and 32-bit numbers nearly so.
      if format.metadata == .full, column.type != .text {
        json.name(column.name + "@odata.type")
        json.string("#" + column.type.edm.dropFirst("Edm.".count))
      }
      json.name(column.name)
      write(value, column.type, &json)
    }
  }

  private func write(_ value: BIValue, _ type: BIType, _ json: inout JSONWriter) {
    switch value {
    case .null: json.null()
    case .bool(let flag): json.bool(flag)
    case .int64(let number): type == .int64 ? write(number, type, &json) : json.integer(number)
    case .text(let text): json.string(text)
    case .timestamp(let time): json.string(time.rfc3339)
    }
  }

  private func write(_ number: Int64, _ type: BIType, _ json: inout JSONWriter) {
    format.isIEEE754Compatible ? json.quotedInteger(number) : json.integer(number)
  }

  /// `Locations(42)`, `TopItems(geographical_location_oid=42,…)`: an entity's address below the root.
  func identifier(_ key: [BIValue]) -> String {
    let names = set.view.key.map(\.name)
    let parts = zip(names, key).map { name, value in
      names.count == 1 ? Self.literal(value) : "\(name)=\(Self.literal(value))"
    }
    return "\(set.name)(\(parts.joined(separator: ",")))"
  }

  /// As it stands in a path.
  private static func literal(_ value: BIValue) -> String {
    switch value {
    case .null: "null"
    case .bool(let flag): "\(flag)"
    case .int64(let number): "\(number)"
    case .timestamp(let time): time.rfc3339
    case .text(let text): "'\(percentEncoded(text))'"
    }
  }

  /// A property's bare value.
  static func text(_ value: BIValue) -> [UInt8] {
    switch value {
    case .null: []
    case .bool(let flag): Array("\(flag)".utf8)
    case .int64(let number): Array("\(number)".utf8)
    case .timestamp(let time): Array(time.rfc3339.utf8)
    case .text(let text): Array(text.utf8)
    }
  }

  /// Everything but RFC 3986's unreserved characters as `%XX`, with each quote twice.
  static func percentEncoded(_ text: String) -> String {
    var encoded = ""
    for byte in text.utf8 {
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
        UInt8(ascii: "~"):
        encoded.unicodeScalars.append(UnicodeScalar(byte))
      case UInt8(ascii: "'"): encoded += "''"
      default: encoded += (byte < 16 ? "%0" : "%") + String(byte, radix: 16, uppercase: true)
      }
    }
    return encoded
  }
}
