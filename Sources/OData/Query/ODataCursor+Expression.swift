import CountStore

/// `$filter` (OData Part 2, 5.1.1), by recursive descent: or, and, comparisons, not, operands.
extension ODataCursor {
  /// A part of an expression and what its value is.
  struct Operand {
    enum Kind: String {
      case boolean
      case number
      case text
      case time
      case null
    }

    var expression: BIExpression
    var kind: Kind
  }

  /// The condition of a whole option.
  static func condition(_ text: String, option: String, _ scope: ODataScope) throws(ODataError)
    -> BIExpression
  {
    var cursor = try ODataCursor(text, option: option)
    let condition = try cursor.condition(scope)
    try cursor.expectEnd()
    return condition
  }

  /// A condition as a part of an option.
  mutating func condition(_ scope: ODataScope) throws(ODataError) -> BIExpression {
    try boolean(try disjunction(scope, depth: 0))
  }

  private mutating func disjunction(_ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    guard depth <= Self.deepest else {
      throw .malformed(option, "Its parentheses are more than \(Self.deepest) deep.")
    }
    let first = try conjunction(scope, depth: depth)
    var parts: [BIExpression] = []
    while try take(word: "or") {
      try countNode()
      if parts.isEmpty { parts.append(try boolean(first)) }
      parts.append(try boolean(try conjunction(scope, depth: depth)))
    }
    return parts.isEmpty ? first : Operand(expression: .any(parts), kind: .boolean)
  }

  private mutating func conjunction(_ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    let first = try comparison(scope, depth: depth)
    var parts: [BIExpression] = []
    while try take(word: "and") {
      try countNode()
      if parts.isEmpty { parts.append(try boolean(first)) }
      parts.append(try boolean(try comparison(scope, depth: depth)))
    }
    return parts.isEmpty ? first : Operand(expression: .all(parts), kind: .boolean)
  }

  private mutating func comparison(_ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    let left = try unary(scope, depth: depth)
    guard case .name(let word) = token else { return left }
    switch word.lowercased() {
    case "in":
      try advance()
      return try isIn(left, scope)
    case "has", "add", "sub", "mul", "div", "divby", "mod":
      throw .unsupported(option, "The operator \(word.lowercased()) is not supported.")
    default: break
    }
    guard let comparison = Self.comparisons[word.lowercased()] else { return left }
    try advance()
    let right = try unary(scope, depth: depth)
    guard left.kind == right.kind || left.kind == .null || right.kind == .null else {
      throw failure("a \(left.kind.rawValue) cannot be compared with a \(right.kind.rawValue)")
    }
    let isOrdered = comparison != .equal && comparison != .notEqual
    guard !isOrdered || (left.kind != .boolean && right.kind != .boolean) else {
      throw failure("booleans have no order")
    }
    return Operand(expression: .compare(comparison, left.expression, right.expression), kind: .boolean)
  }

  private static let comparisons: [String: BIComparison] = [
    "eq": .equal, "ne": .notEqual, "lt": .less, "le": .lessOrEqual, "gt": .greater, "ge": .greaterOrEqual,
  ]

  private mutating func isIn(_ left: Operand, _ scope: ODataScope) throws(ODataError) -> Operand {
    guard token == .symbol("(") else {
      throw .unsupported(option, "Behind 'in' only a list of values in parentheses is supported.")
    }
    try advance()
    var values: [BIValue] = []
    if token != .symbol(")") {
      repeat {
        guard values.count < Self.mostValues else {
          throw .malformed(option, "A list behind 'in' has more than \(Self.mostValues) values.")
        }
        let here = self
        let value = try literal(scope)
        guard Self.kind(of: value) == left.kind || value == .null || left.kind == .null else {
          throw here.failure("the values of the list are not of the type before 'in'")
        }
        values.append(value)
      } while try take(",")
    }
    try expect(")")
    return Operand(expression: .isIn(left.expression, values), kind: .boolean)
  }

  /// `not` binds more tightly than a comparison (OData Part 2, 5.1.1.9): what it negates is in parentheses, or a
  /// function.
  private mutating func unary(_ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    try countNode()
    guard try take(word: "not") else { return try operand(scope, depth: depth) }
    guard depth < Self.deepest else {
      throw .malformed(option, "Its parentheses are more than \(Self.deepest) deep.")
    }
    let negated = try boolean(try unary(scope, depth: depth + 1))
    return Operand(expression: .not(negated), kind: .boolean)
  }

  private mutating func operand(_ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    if try take("(") {
      let inner = try disjunction(scope, depth: depth + 1)
      try expect(")")
      return inner
    }
    guard case .name(let name) = token, !["true", "false", "null"].contains(name) else {
      let value = try literal(scope)
      return Operand(expression: .value(value), kind: Self.kind(of: value))
    }
    var lookahead = self
    try lookahead.advance()
    if lookahead.token == .symbol("(") {
      self = lookahead
      return try call(name, scope, depth: depth)
    }
    let column = try property(scope)
    return Operand(expression: .column(column), kind: Self.kind(of: column))
  }

  private mutating func call(_ name: String, _ scope: ODataScope, depth: Int) throws(ODataError) -> Operand {
    let matches: [String: BITextMatch] = [
      "contains": .contains, "startswith": .startsWith, "endswith": .endsWith,
    ]
    guard let match = matches[name.lowercased()] else {
      if Self.otherFunctions.contains(name.lowercased()) || name.contains(".") {
        throw .unsupported(option, "Of the functions, only contains, startswith and endswith are supported.")
      }
      throw failure("there is no such function")
    }
    try expect("(")
    let text = try textOperand(scope, depth: depth + 1)
    try expect(",")
    let part = try textOperand(scope, depth: depth + 1)
    try expect(")")
    return Operand(expression: .match(match, text, part), kind: .boolean)
  }

  private mutating func textOperand(_ scope: ODataScope, depth: Int) throws(ODataError) -> BIExpression {
    let here = self
    let operand = try disjunction(scope, depth: depth)
    guard operand.kind == .text || operand.kind == .null else { throw here.failure("a text is expected") }
    return operand.expression
  }

  private func boolean(_ operand: Operand) throws(ODataError) -> BIExpression {
    guard operand.kind == .boolean || operand.kind == .null else {
      throw failure("before it a condition is expected, such as item_rank le 10")
    }
    return operand.expression
  }

  private static func kind(of value: BIValue) -> Operand.Kind {
    switch value {
    case .null: .null
    case .bool: .boolean
    case .int64: .number
    case .text: .text
    case .timestamp: .time
    }
  }

  private static func kind(of column: BIColumn) -> Operand.Kind {
    switch column.type {
    case .int64, .int32: .number
    case .text: .text
    case .timestamp: .time
    }
  }

  /// OData's other functions: known, so that they are not called mistakes.
  private static let otherFunctions: Set<String> = [
    "concat", "indexof", "length", "substring", "substringof", "matchespattern", "tolower", "toupper", "trim",
    "date",
    "day", "fractionalseconds", "hour", "maxdatetime", "mindatetime", "minute", "month", "now", "second",
    "time",
    "totaloffsetminutes", "totalseconds", "year", "ceiling", "floor", "round", "cast", "isof", "case",
    "hassubset",
    "hassubsequence",
  ]
}
