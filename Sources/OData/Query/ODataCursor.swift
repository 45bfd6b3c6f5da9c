import CountStore

/// The properties that an expression may use, and what its aliases stand for.
struct ODataScope {
  var columns: [BIColumn]
  /// By name without the `@`; the values as they stand in the address.
  var aliases: [String: String] = [:]
}

/// Reads the tokens of one option, in order.
struct ODataCursor {
  /// More operands and operators than this are refused.
  static let mostNodes = 500
  /// Deeper parentheses are refused.
  static let deepest = 32
  /// More values behind `in` are refused.
  static let mostValues = 1000

  /// What errors are about, such as `$filter`.
  let option: String
  private var lexer: ODataLexer
  private(set) var token: ODataToken
  private var position: Int
  private var nodes = 0

  init(_ text: String, option: String) throws(ODataError) {
    self.option = option
    lexer = try ODataLexer(text, option: option)
    (token, position) = try lexer.next()
  }

  mutating func advance() throws(ODataError) {
    (token, position) = try lexer.next()
  }

  /// Takes the symbol if it is next.
  mutating func take(_ symbol: Character) throws(ODataError) -> Bool {
    guard token == .symbol(symbol) else { return false }
    try advance()
    return true
  }

  /// Takes the word if it is next. OData 4.01 does not care for its case.
  mutating func take(word: String) throws(ODataError) -> Bool {
    guard case .name(let name) = token, name.lowercased() == word else { return false }
    try advance()
    return true
  }

  mutating func expect(_ symbol: Character) throws(ODataError) {
    guard try take(symbol) else { throw failure("'\(symbol)' is expected") }
  }

  mutating func expect(word: String) throws(ODataError) {
    guard try take(word: word) else { throw failure("'\(word)' is expected") }
  }

  mutating func expectEnd() throws(ODataError) {
    guard token == .end else { throw failure("nothing more is expected") }
  }

  /// Takes a name.
  mutating func name(_ what: String) throws(ODataError) -> String {
    guard case .name(let name) = token else { throw failure("\(what) is expected") }
    try advance()
    return name
  }

  /// Takes a property's name.
  mutating func property(_ scope: ODataScope) throws(ODataError) -> BIColumn {
    let here = self
    var name = try name("a property")
    if name == "$it", try take("/") { name = try self.name("a property") }
    guard token != .symbol("(") else {
      throw .unsupported(option, "\(option) takes properties, not functions.")
    }
    guard token != .symbol("/") else { throw failure("properties have no paths") }
    return try here.property(named: name, scope)
  }

  func property(named name: String, _ scope: ODataScope) throws(ODataError) -> BIColumn {
    guard let column = scope.columns.first(where: { $0.name == name }) else {
      throw failure(
        "there is no such property; there are \(scope.columns.map(\.name).joined(separator: ", "))"
      )
    }
    return column
  }

  /// Takes properties with commas between them.
  mutating func properties(_ scope: ODataScope) throws(ODataError) -> [BIColumn] {
    var columns: [BIColumn] = []
    repeat {
      let column = try property(scope)
      if !columns.contains(column) { columns.append(column) }
    } while try take(",")
    return columns
  }

  /// Takes a literal, or an alias that stands for one.
  mutating func literal(_ scope: ODataScope) throws(ODataError) -> BIValue {
    let value: BIValue
    switch token {
    case .string(let text): value = .text(text)
    case .integer(let number): value = .int64(number)
    case .time(let time): value = .timestamp(time)
    case .decimal: throw .unsupported(option, "Only whole numbers can be compared with.")
    case .name("true"): value = .bool(true)
    case .name("false"): value = .bool(false)
    case .name("null"): value = .null
    case .alias(let name): value = try Self.alias(name, scope)
    default: throw failure("a value is expected")
    }
    try advance()
    return value
  }

  /// An alias without a value is null (OData Part 1, 11.2.5.1.3).
  private static func alias(_ name: String, _ scope: ODataScope) throws(ODataError) -> BIValue {
    guard let text = scope.aliases[name] else { return .null }
    var cursor = try ODataCursor(text, option: "@" + name)
    if case .alias = cursor.token { throw cursor.failure("an alias cannot stand for an alias") }
    let value = try cursor.literal(scope)
    try cursor.expectEnd()
    return value
  }

  /// Counts one more part of an expression.
  mutating func countNode() throws(ODataError) {
    nodes += 1
    guard nodes <= Self.mostNodes else {
      throw .malformed(option, "It has more than \(Self.mostNodes) operands and operators.")
    }
  }

  /// The error of the expression at the token that is next. It repeats nothing of the expression.
  func failure(_ detail: String) -> ODataError { lexer.failure(position - 1, detail) }
}
