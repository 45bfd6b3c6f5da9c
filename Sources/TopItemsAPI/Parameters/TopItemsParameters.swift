import APICore
import CountStore
import Counting

/// How identifiers are written; counts and ranks are numbers either way.
enum IntegerStyle: String, CaseIterable {
  case string
  case number

  static func read(_ parameters: Parameters) throws(APIError) -> IntegerStyle {
    try parameters.one("int64", expected: "string or number", IntegerStyle.init(rawValue:)) ?? .string
  }
}

/// What the parameters of `top-items` mean.
struct TopItemsParameters: Equatable {
  /// What the list is compared with.
  enum Comparison: String, CaseIterable {
    case previous
  }

  /// Which list; the series of its items takes these too.
  static let selection = ["location", "n", "from", "to", "window", "group", "ties", "item"]
  /// The parameters that add columns.
  static let additions = ["others", "share", "compare"]
  static let names = selection + additions + Display.names
  /// Of a stream, which has one format.
  static let followed = names.filter { $0 != "escape_formulas" }
  static let largestN: Int64 = 1000
  static let defaultN = 10
  static let mostLocations = 80
  /// In characters; longer ones, percent-encoded, would not fit into a request line.
  static let longestPrefix = 300

  var query: TopItemsQuery
  var display: Display

  init(_ parameters: Parameters, maximumRows: Int) throws(APIError) {
    let locations = try parameters.all(
      "location",
      expected: "a 64-bit integer; for up to \(Self.mostLocations) locations, repeat the parameter",
      limit: Self.mostLocations,
      DecimalInteger.parse
    )
    let n = try parameters.one("n", expected: "an integer from 1 to \(Self.largestN)") { text in
      DecimalInteger.parse(text).flatMap { (1...Self.largestN).contains($0) ? Int($0) : nil }
    }
    let grouping = try parameters.one("group", expected: "location or all", Grouping.init(rawValue:))
    let ties = try parameters.one("ties", expected: "cut or include", Ties.init(rawValue:))
    query = TopItemsQuery(
      locations: Self.distinct(locations),
      n: n ?? Self.defaultN,
      range: try Self.range(parameters),
      grouping: grouping ?? .location,
      ties: ties ?? .cut,
      itemPrefix: try Self.itemPrefix(parameters),
      hasOthers: try parameters.flag("others"),
      hasShare: try parameters.flag("share"),
      comparesPrevious: try parameters.one("compare", expected: "previous", Comparison.init(rawValue:))
        != nil,
      maximumRows: maximumRows
    )
    display = try Display(parameters)
  }

  /// The beginning of items' names. An empty one fits all, and is taken for none.
  static func itemPrefix(_ parameters: Parameters) throws(APIError) -> String? {
    let prefix = try parameters.one(
      "item",
      expected: "the beginning of a name, of up to \(longestPrefix) characters"
    ) {
      text in text.unicodeScalars.count <= longestPrefix ? text : nil
    }
    return prefix == "" ? nil : prefix
  }

  /// Each location once. Rows come in the order of the locations, whatever the order of the request.
  private static func distinct(_ oids: [Int64]) -> [Int64] {
    Set(oids).sorted()
  }
}

extension TopItemsParameters {
  /// Whether the response cannot have more than a thousand ranked rows.
  var isShort: Bool {
    let rankings = query.grouping == .all ? 1 : query.locations.count
    return rankings > 0 && query.n * rankings <= 1000 && query.ties == .cut
  }

  /// The same for every way to ask the same question, whatever the order and spelling of the parameters.
  var canonicalQuery: String {
    var parts = query.locations.map { "location=\($0)" }
    parts.append("n=\(query.n)&group=\(query.grouping.rawValue)&ties=\(query.ties.rawValue)")
    switch query.range {
    case .newest(let span): parts.append("window=\(span.microseconds)")
    case .between(let from, let to):
      if let from { parts.append("from=\(from.microseconds)") }
      if let to { parts.append("to=\(to.microseconds)") }
    }
    if query.hasOthers { parts.append("others") }
    if query.hasShare { parts.append("share") }
    if query.comparesPrevious { parts.append("compare") }
    parts.append(display.canonicalQuery)
    // Last, as it may contain anything.
    if let prefix = query.itemPrefix { parts.append("item=\(prefix)") }
    return parts.joined(separator: "&")
  }
}
