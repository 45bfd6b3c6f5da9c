import CountStore

/// `$apply` (OData Extension for Data Aggregation 4.0): transformations, each of which becomes a step of one SQL query.
struct ODataPipeline {
  /// The transformations that there are, as `$metadata` lists them too.
  static let transformations = ["identity", "filter", "groupby", "aggregate", "topcount"]
  /// More transformations are refused.
  static let mostSteps = 16
  /// More aggregates in one transformation are refused.
  static let mostAggregates = 32

  var steps: [BIQuery.Step] = []
  /// The properties as they are behind the steps.
  private(set) var scope: ODataScope
  /// The properties that identify a row.
  private(set) var key: [BIColumn]
  /// The order of the response, if none is asked for.
  private(set) var order: [BIQuery.Order]
  private(set) var hasEntities = true
  private var computed = 0

  init(_ view: BIView, aliases: [String: String]) {
    scope = ODataScope(columns: view.columns, aliases: aliases)
    key = view.key
    order = view.key.map { BIQuery.Order($0) }
  }

  mutating func apply(_ text: String) throws(ODataError) {
    var cursor = try ODataCursor(text, option: "$apply")
    repeat {
      guard steps.count < Self.mostSteps else {
        throw .malformed("$apply", "It has more than \(Self.mostSteps) transformations.")
      }
      try transformation(&cursor)
    } while try cursor.take("/")
    try cursor.expectEnd()
  }

  private mutating func transformation(_ cursor: inout ODataCursor) throws(ODataError) {
    let here = cursor
    switch try cursor.name("a transformation").lowercased() {
    case "identity": return
    case "filter":
      try cursor.expect("(")
      steps.append(.filter(try cursor.condition(scope)))
    case "aggregate": try aggregate(&cursor, by: [])
    case "groupby":
      try groupby(&cursor)
    case "topcount": try topcount(&cursor, within: [])
    case let name: throw Self.unknown(name, here)
    }
    try cursor.expect(")")
  }

  /// Behind its name; up to its last parenthesis.
  private mutating func groupby(_ cursor: inout ODataCursor) throws(ODataError) {
    try cursor.expect("(")
    try cursor.expect("(")
    let columns = try cursor.properties(scope)
    try cursor.expect(")")
    guard try cursor.take(",") else {
      group(by: columns, [])
      return
    }
    let here = cursor
    switch try cursor.name("a transformation").lowercased() {
    case "aggregate": try aggregate(&cursor, by: columns)
    case "topcount": try topcount(&cursor, within: columns)
    case "groupby", "filter", "identity":
      throw .unsupported("$apply", "Inside of groupby only aggregate and topcount are supported.")
    case let name: throw Self.unknown(name, here)
    }
    try cursor.expect(")")
    guard cursor.token != .symbol("/") else {
      throw .unsupported("$apply", "Inside of groupby only one transformation is supported.")
    }
  }

  /// Behind its name; up to its last parenthesis.
  private mutating func aggregate(_ cursor: inout ODataCursor, by columns: [BIColumn]) throws(ODataError) {
    try cursor.expect("(")
    var aggregates: [BIAggregate] = []
    repeat {
      guard aggregates.count < Self.mostAggregates else {
        throw .malformed("$apply", "It has more than \(Self.mostAggregates) aggregates.")
      }
      aggregates.append(try aggregation(&cursor, besides: columns + aggregates.map(\.result)))
    } while try cursor.take(",")
    group(by: columns, aggregates)
  }

  /// `$count as total` or `item_count with sum as total`
  private mutating func aggregation(_ cursor: inout ODataCursor, besides: [BIColumn]) throws(ODataError)
    -> BIAggregate
  {
    if try cursor.take(word: "$count") {
      return BIAggregate(countAs: try alias(&cursor, .int64, false, besides))
    }
    let column = try cursor.property(scope)
    try cursor.expect(word: "with")
    let here = cursor
    let method = try cursor.name("a method").lowercased()
    guard let function = Self.functions[method] else {
      if method == "average" || method.contains(".") {
        throw .unsupported(
          "$apply",
          "The methods are \(Self.functions.keys.sorted().joined(separator: ", "))."
        )
      }
      throw here.failure("there is no such method")
    }
    if function == .sum, !column.isQuantity {
      throw here.failure("there is no sense in a sum of this property")
    }
    let counts = function == .countDistinct
    // Over no rows at all, a sum is null.
    let result = try alias(&cursor, function == .sum || counts ? .int64 : column.type, !counts, besides)
    return BIAggregate(function, of: column, as: result)
  }

  private static let functions: [String: BIAggregate.Function] = [
    "sum": .sum, "min": .min, "max": .max, "countdistinct": .countDistinct,
  ]

  private mutating func alias(
    _ cursor: inout ODataCursor,
    _ type: BIType,
    _ isNullable: Bool,
    _ besides: [BIColumn]
  ) throws(ODataError) -> BIColumn {
    try cursor.expect(word: "as")
    let here = cursor
    let name = try cursor.name("a name for the result")
    guard name.count <= 128, !name.contains("."), !name.contains("$"),
      !besides.contains(where: { $0.name == name })
    else { throw here.failure("the name of a result must be new, plain, and have 128 characters at most") }
    computed += 1
    return BIColumn(computed: computed, name: name, type: type, isNullable: isNullable)
  }

  private mutating func group(by columns: [BIColumn], _ aggregates: [BIAggregate]) {
    steps.append(.group(by: columns, aggregates))
    scope.columns = columns + aggregates.map(\.result)
    key = columns
    order = columns.map { BIQuery.Order($0) }
    hasEntities = false
  }

  /// Behind its name; up to its last parenthesis.
  private mutating func topcount(_ cursor: inout ODataCursor, within: [BIColumn]) throws(ODataError) {
    try cursor.expect("(")
    let here = cursor
    guard case .int64(let limit) = try cursor.literal(scope), limit > 0 else {
      throw here.failure("topcount begins with a whole number, 1 or more")
    }
    try cursor.expect(",")
    let column = try cursor.property(scope)
    steps.append(.top(limit, by: column, within: within, key: key))
    order =
      within.map { BIQuery.Order($0) } + [BIQuery.Order(column, isDescending: true)]
      + key.filter { $0 != column && !within.contains($0) }.map { BIQuery.Order($0) }
  }

  private static func unknown(_ name: String, _ cursor: ODataCursor) -> ODataError {
    let others = [
      "topsum", "toppercent", "bottomcount", "bottomsum", "bottompercent", "concat", "expand", "search",
      "compute",
      "nest", "join", "outerjoin", "orderby", "top", "skip", "ancestors", "descendants", "traverse",
      "addnested",
    ]
    guard others.contains(name) else { return cursor.failure("there is no such transformation") }
    return .unsupported("$apply", "The transformations are \(transformations.joined(separator: ", ")).")
  }
}

extension BIColumn {
  /// A number that can be added up; an oid cannot.
  fileprivate var isQuantity: Bool {
    (type == .int64 || type == .int32) && self != BIView.locations.key.first
  }
}
