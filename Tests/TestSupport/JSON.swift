import Foundation

/// Any JSON, read by Foundation's decoder: an opinion independent of the writer under test.
public enum JSON: Decodable, Equatable, Sendable {
  case null
  case bool(Bool)
  case integer(Int64)
  case double(Double)
  case string(String)
  case array([JSON])
  case object([String: JSON])

  /// Parses a document.
  public init(parsing bytes: [UInt8]) throws {
    self = try JSONDecoder().decode(JSON.self, from: Data(bytes))
  }

  /// As `Decodable` wants it.
  public init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let value = try? container.decode(Bool.self) {
      self = .bool(value)
    } else if let value = try? container.decode(Int64.self) {
      self = .integer(value)
    } else if let value = try? container.decode(Double.self) {
      self = .double(value)
    } else if let value = try? container.decode(String.self) {
      self = .string(value)
    } else if let value = try? container.decode([JSON].self) {
      self = .array(value)
    } else {
      self = .object(try container.decode([String: JSON].self))
    }
  }

  /// The member of an object.
  public subscript(name: String) -> JSON? { object?[name] }
  /// The element of an array.
  public subscript(index: Int) -> JSON? { array.flatMap { $0.indices.contains(index) ? $0[index] : nil } }

  /// What a local reference like `#/components/schemas/Problem` points at (RFC 6901).
  public subscript(pointer reference: String) -> JSON? {
    reference.split(separator: "/").dropFirst().reduce(JSON?.some(self)) { value, part in
      value?[part.replacingOccurrences(of: "~1", with: "/").replacingOccurrences(of: "~0", with: "~")]
    }
  }

  /// The members, if it is an object.
  public var object: [String: JSON]? { if case .object(let value) = self { value } else { nil } }
  /// The elements, if it is an array.
  public var array: [JSON]? { if case .array(let value) = self { value } else { nil } }
  /// The text, if it is a string.
  public var string: String? { if case .string(let value) = self { value } else { nil } }
  /// The number, if it is an integer.
  public var integer: Int64? { if case .integer(let value) = self { value } else { nil } }
}
