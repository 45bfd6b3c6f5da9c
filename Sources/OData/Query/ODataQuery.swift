import CountStore

/// What the options of a request for a collection ask of its view.
struct ODataQuery: Equatable {
  var query: BIQuery
  /// What the context of the response says about its properties: `(item_name,item_count)`; empty for all of them.
  var projection = ""
  /// Whether the rows are still entities of the set, not sums of some.
  var hasEntities = true

  init(_ set: ODataEntitySet, _ options: ODataOptions) throws(ODataError) {
    query = BIQuery(set.view)
    var pipeline = ODataPipeline(set.view, aliases: options.aliases)
    if let text = options[.apply] { try pipeline.apply(text) }
    hasEntities = pipeline.hasEntities
    if let text = options[.filter] {
      pipeline.steps.append(.filter(try ODataCursor.condition(text, option: "$filter", pipeline.scope)))
    }
    query.steps = pipeline.steps
    query.order = try Self.order(options[.orderby], pipeline)
    query.skip = try options.number(.skip) ?? 0
    query.limit = try options.number(.top)
    query.isCounted = try options.flag(.count)
    query.columns = pipeline.scope.columns
    try select(options[.select], pipeline.scope)
    if !hasEntities, projection.isEmpty { project() }
  }

  /// One entity.
  init(_ set: ODataEntitySet, key: [BIValue], _ options: ODataOptions) throws(ODataError) {
    query = BIQuery(set.view)
    query.steps = [
      .filter(.all(zip(set.view.key, key).map { .compare(.equal, .column($0), .value($1)) }))
    ]
    query.limit = 1
    try select(options[.select], ODataScope(columns: set.view.columns))
  }

  private mutating func select(_ text: String?, _ scope: ODataScope) throws(ODataError) {
    guard let text else { return }
    var cursor = try ODataCursor(text, option: "$select")
    if try cursor.take("*") {
      try cursor.expectEnd()
      return
    }
    query.columns = try cursor.properties(scope)
    try cursor.expectEnd()
    project()
  }

  private mutating func project() {
    projection = "(" + query.columns.map(\.name).joined(separator: ",") + ")"
  }

  /// What is asked for, and behind it what makes the order total.
  private static func order(_ text: String?, _ pipeline: ODataPipeline) throws(ODataError) -> [BIQuery.Order]
  {
    guard let text else { return pipeline.order }
    var order: [BIQuery.Order] = []
    var cursor = try ODataCursor(text, option: "$orderby")
    repeat {
      let column = try cursor.property(pipeline.scope)
      let isDescending = try cursor.take(word: "desc")
      if !isDescending { _ = try cursor.take(word: "asc") }
      // A column that is sorted by already decides nothing more.
      if !order.contains(where: { $0.column == column }) {
        order.append(BIQuery.Order(column, isDescending: isDescending))
      }
    } while try cursor.take(",")
    try cursor.expectEnd()
    return order
      + pipeline.key.filter { key in !order.contains { $0.column == key } }.map { BIQuery.Order($0) }
  }
}
