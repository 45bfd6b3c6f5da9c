import CountStore

/// What the path of a request names (OData Part 2, 4).
enum ODataPath: Equatable {
  case serviceDocument
  case metadata
  case collection(ODataEntitySet)
  case count(ODataEntitySet)
  case entity(ODataEntitySet, key: [BIValue])
  case property(ODataEntitySet, key: [BIValue], BIColumn)
  /// A property's bare value.
  case value(ODataEntitySet, key: [BIValue], BIColumn)

  /// Where the service is.
  static let root = "/odata/v4"

  /// - Parameters:
  ///   - path: decoded; it begins with the root.
  ///   - aliases: what a key may use instead of a literal.
  init(_ path: String, aliases: [String: String]) throws(ODataError) {
    var rest = path.dropFirst(Self.root.count)
    if rest.first == "/" { rest = rest.dropFirst() }
    let (first, others) = Self.split(rest)
    switch first {
    case "" where others.isEmpty: self = .serviceDocument
    case "$metadata" where others.isEmpty: self = .metadata
    case _ where first.hasPrefix("$"):
      let known = ["$batch", "$all", "$entity", "$crossjoin"]
      guard known.contains(where: first.hasPrefix) else { throw Self.nothing }
      throw .unsupported(nil, "\(known.joined(separator: ", ")) are not supported.")
    default: try self.init(first, Array(others), aliases)
    }
  }

  private init(_ first: Substring, _ others: [Substring], _ aliases: [String: String]) throws(ODataError) {
    let name = first.prefix { $0 != "(" }
    guard let set = ODataEntitySet.all.first(where: { $0.name == name }) else { throw Self.nothing }
    guard first.count > name.count else {
      switch others {
      case []: self = .collection(set)
      case ["$count"]: self = .count(set)
      default: throw Self.nothing
      }
      return
    }
    let key = try Self.key(String(first.dropFirst(name.count)), set, aliases)
    guard let property = others.first else {
      self = .entity(set, key: key)
      return
    }
    guard let column = set.view.columns.first(where: { $0.name == property }) else { throw Self.nothing }
    switch others.dropFirst() {
    case []: self = .property(set, key: key, column)
    case ["$value"]: self = .value(set, key: key, column)
    default: throw Self.nothing
    }
  }

  private static let nothing = ODataError.notFound(
    "\(root)/ lists the sets, \(root)/$metadata their properties."
  )

  /// Cuts at the slashes outside of quotes. (Doubled quotes inside a string open it again at once.)
  private static func split(_ path: Substring) -> (first: Substring, others: [Substring]) {
    var isQuoted = false
    let parts = path.split(omittingEmptySubsequences: false) { character in
      if character == "'" { isQuoted.toggle() }
      return character == "/" && !isQuoted
    }
    return (parts.first ?? "", Array(parts.dropFirst()))
  }

  /// `(42)` where the key is one property, else `(name=value,…)` in any order: the values in the key's order.
  private static func key(_ text: String, _ set: ODataEntitySet, _ aliases: [String: String])
    throws(ODataError)
    -> [BIValue]
  {
    let scope = ODataScope(columns: set.view.key, aliases: aliases)
    var cursor = try ODataCursor(text, option: "key")
    try cursor.expect("(")
    var values: [BIColumn: BIValue] = [:]
    if case .name(let name) = cursor.token, !["true", "false", "null"].contains(name) {
      repeat {
        let column = try cursor.property(scope)
        try cursor.expect("=")
        let value = try cursor.literal(scope)
        guard values.updateValue(value, forKey: column) == nil else {
          throw cursor.failure("a property is named twice")
        }
      } while try cursor.take(",")
    } else {
      guard let column = set.view.key.first, set.view.key.count == 1 else {
        throw cursor.failure("the key is \(set.view.key.map { $0.name + "=…" }.joined(separator: ","))")
      }
      values[column] = try cursor.literal(scope)
    }
    try cursor.expect(")")
    try cursor.expectEnd()
    var key: [BIValue] = []
    for column in set.view.key {
      guard let value = values[column], value.fits(column) else {
        throw cursor.failure("the key is \(set.view.key.map { $0.name + "=…" }.joined(separator: ","))")
      }
      key.append(value)
    }
    return key
  }
}

extension BIValue {
  /// Whether it is of the column's type, and not null.
  fileprivate func fits(_ column: BIColumn) -> Bool {
    switch (self, column.type) {
    case (.int64, .int64), (.int64, .int32), (.text, .text), (.timestamp, .timestamp): true
    default: false
    }
  }
}
