import APICore

/// The parameters of one request by name: only known ones, and each once unless it may be repeated.
struct Parameters: Sendable {
  /// All of them in the order of the request.
  let items: [(name: String, value: String)]
  private var values: [String: [String]] = [:]

  /// The one parameter that may be given more than once.
  static let repeatable = "location"

  /// - Throws: `unknownParameter`, `repeatedParameter`; the first that is wrong, in the order of the request.
  init(_ items: [(name: String, value: String)], known: [String]) throws(APIError) {
    self.items = items
    for (name, value) in items {
      guard known.contains(name) else { throw .unknownParameter(name, known: known) }
      guard values[name] == nil || name == Self.repeatable else { throw .repeatedParameter(name) }
      values[name, default: []].append(value)
    }
  }

  /// Whether the parameter is there at all, be it empty.
  func has(_ name: String) -> Bool {
    values[name] != nil
  }

  /// All values of a parameter, read by `read`.
  ///
  /// - Throws: `malformedParameter` where `read` returns nil, or there are more than `limit`.
  func all<Value>(
    _ name: String,
    expected: String,
    limit: Int = .max,
    _ read: (String) -> Value?
  ) throws(APIError) -> [Value] {
    var result: [Value] = []
    let texts = values[name] ?? []
    guard texts.count <= limit else { throw .malformedParameter(name, expected: expected) }
    for text in texts {
      guard let value = read(text) else { throw .malformedParameter(name, expected: expected) }
      result.append(value)
    }
    return result
  }

  /// The value of a parameter, read by `read`; nil if it is not given.
  ///
  /// - Throws: `malformedParameter` where `read` returns nil.
  func one<Value>(
    _ name: String,
    expected: String,
    _ read: (String) -> Value?
  ) throws(APIError) -> Value? {
    try all(name, expected: expected, read).first
  }

  /// `true` or `false`.
  ///
  /// - Throws: `malformedParameter` for anything else.
  func flag(_ name: String, default absent: Bool = false) throws(APIError) -> Bool {
    try one(name, expected: "true or false") { ["true": true, "false": false][$0] } ?? absent
  }
}
