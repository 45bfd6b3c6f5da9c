import APICore

/// The system query options of a request, by their names without the `$` (which OData 4.01 lets a client leave out),
/// and its aliases. Whatever else is in the query belongs to others, such as proxies, and is ignored.
struct ODataOptions: Equatable {
  enum Name: String, CaseIterable {
    case filter
    case select
    case orderby
    case top
    case skip
    case count
    case skiptoken
    case apply
    case format

    /// With the `$`: what errors are about.
    var option: String { "$" + rawValue }
  }

  private var values: [Name: String] = [:]
  /// By name without the `@`.
  private(set) var aliases: [String: String] = [:]

  /// OData's options that are known, but not supported: ignoring one would give a wrong response.
  private static let unsupported: Set<String> = [
    "$expand", "$search", "$compute", "$deltatoken", "$levels", "$index", "$schemaversion", "$id", "expand",
    "search",
    "compute",
  ]

  init(_ items: [(name: String, value: String)]) throws(ODataError) {
    for (name, value) in items {
      if name.hasPrefix("@") {
        guard aliases.updateValue(value, forKey: String(name.dropFirst())) == nil else {
          throw .malformed(name, "It is given more than once.")
        }
        continue
      }
      let lowercased = name.lowercased()
      let bare = lowercased.hasPrefix("$") ? String(lowercased.dropFirst()) : lowercased
      if let known = Name(rawValue: bare) {
        guard values.updateValue(value, forKey: known) == nil else {
          throw .malformed(known.option, "It is given more than once.")
        }
      } else if Self.unsupported.contains(lowercased) {
        throw .unsupported(lowercased, "The supported options are \(Self.list(Name.allCases)).")
      } else if name.hasPrefix("$") {
        throw .malformed(
          APIError.clipped(name),
          "There is no such option. There are \(Self.list(Name.allCases))."
        )
      }
    }
  }

  subscript(name: Name) -> String? { values[name] }

  /// - Throws: a 400 for an option that has no meaning here.
  func allow(_ allowed: Set<Name>) throws(ODataError) {
    for name in Name.allCases where values[name] != nil && !allowed.contains(name) {
      throw .malformed(name.option, "It has no meaning for this resource.")
    }
  }

  /// A number of rows.
  func number(_ name: Name) throws(ODataError) -> Int64? {
    guard let text = values[name] else { return nil }
    guard let number = DecimalInteger.parse(text), number >= 0 else {
      throw .malformed(name.option, "It must be a whole number, 0 or more.")
    }
    return number
  }

  /// `true` or `false`; false if it is not given.
  func flag(_ name: Name) throws(ODataError) -> Bool {
    switch values[name]?.lowercased() {
    case nil, "false": return false
    case "true": return true
    default: throw .malformed(name.option, "It must be true or false.")
    }
  }

  private static func list(_ names: [Name]) -> String { names.map(\.option).joined(separator: ", ") }
}
