import APICore
import Counting

/// Reads the parameters of one request. To read a parameter is to declare it: from what was read follow the parameters
/// that the address takes, and the key of the query for cache and cursors. So none of the three can be forgotten.
///
/// Reading never fails, so that all declarations are reached whatever the request says; `check` throws what was wrong.
struct ParameterReader {
  private let items: [(name: String, value: String)]
  /// The parameters that were read, in the order of reading.
  private(set) var names: [String] = []
  /// Those that may be given more than once.
  private var repeatable: Set<String> = []
  /// Name and meaning of each parameter that is a part of the query and has another value than its default. A NUL,
  /// which no decoded parameter has, ends each. Bytes, as two differently composed strings are equal as `String`s.
  private(set) var query: [UInt8] = []
  private var failure: APIError?

  /// - Parameter items: decoded, in the order of the request.
  init(_ items: [(name: String, value: String)]) {
    self.items = items
  }

  /// - Throws: `unknownParameter` or `repeatedParameter` for the first item that is one, else what was wrong first in
  ///   the order of reading.
  func check() throws(APIError) {
    var seen: Set<String> = []
    for item in items {
      guard names.contains(item.name) else { throw .unknownParameter(item.name, known: names) }
      guard seen.insert(item.name).inserted || repeatable.contains(item.name) else {
        throw .repeatedParameter(item.name)
      }
    }
    if let failure { throw failure }
  }

  /// Notes what is wrong with parameters together, or with the request besides. Only the first failure is kept.
  mutating func fail(_ error: APIError) {
    if failure == nil { failure = error }
  }

  // MARK: Parameters of the query

  /// The value of a parameter; nil if it is not given, or not what is expected.
  mutating func one<Value: ParameterValue>(
    _ name: String,
    expected: String,
    _ read: (String) -> Value?
  ) -> Value? {
    one(name, expected: expected, absent: nil, read)
  }

  /// The value of a parameter, or what its absence means.
  mutating func one<Value: ParameterValue>(
    _ name: String,
    expected: String,
    default absent: Value,
    _ read: (String) -> Value?
  ) -> Value {
    one(name, expected: expected, absent: absent, read) ?? absent
  }

  private mutating func one<Value: ParameterValue>(
    _ name: String,
    expected: String,
    absent: Value?,
    _ read: (String) -> Value?
  ) -> Value? {
    let value = values(name, expected: expected, read).first ?? absent
    // Given or not, the default is the same query.
    if let value, value != absent { add(name, value.canonicalText) }
    return value
  }

  /// `true` or `false`.
  mutating func flag(_ name: String, default absent: Bool = false) -> Bool {
    one(name, expected: "true or false", default: absent) { ["true": true, "false": false][$0] }
  }

  /// A set of values, each given by a parameter of its own; sorted.
  mutating func set<Value: ParameterValue & Hashable & Comparable>(
    _ name: String,
    expected: String,
    limit: Int,
    _ read: (String) -> Value?
  ) -> [Value] {
    repeatable.insert(name)
    let all = values(name, expected: expected, limit: limit, read)
    let sorted = Set(all).sorted()
    for value in sorted { add(name, value.canonicalText) }
    return sorted
  }

  // MARK: Parameters beside the query

  /// A parameter that asks for a part of the response: it is the same query with any value.
  mutating func position<Value>(_ name: String, expected: String, _ read: (String) -> Value?) -> Value? {
    values(name, expected: expected, read).first
  }

  private mutating func values<Value>(
    _ name: String,
    expected: String,
    limit: Int = .max,
    _ read: (String) -> Value?
  ) -> [Value] {
    names.append(name)
    let texts = items.filter { $0.name == name }
    let values = texts.prefix(limit).compactMap { read($0.value) }
    if values.count < texts.count { fail(.malformedParameter(name, expected: expected)) }
    return values
  }

  private mutating func add(_ name: String, _ value: String) {
    query += name.utf8
    query.append(0)
    query += value.utf8
    query.append(0)
  }
}

/// A value with one spelling for each meaning, by which queries are compared.
protocol ParameterValue: Equatable {
  /// Without a NUL.
  var canonicalText: String { get }
}

extension String: ParameterValue {
  var canonicalText: String { self }
}

extension Int: ParameterValue {
  var canonicalText: String { String(self) }
}

extension Int64: ParameterValue {
  var canonicalText: String { String(self) }
}

extension Bool: ParameterValue {
  var canonicalText: String { String(self) }
}

extension Timestamp: ParameterValue {
  var canonicalText: String { String(microseconds) }
}

extension TimeSpan: ParameterValue {
  var canonicalText: String { String(microseconds) }
}

extension ParameterValue where Self: RawRepresentable, RawValue == String {
  var canonicalText: String { rawValue }
}
