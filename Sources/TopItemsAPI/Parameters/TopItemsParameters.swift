import APICore
import CountStore
import Counting

/// What the parameters of `top-items` and of its series mean.
enum TopItemsParameters {
  static let largestN: Int64 = 1000
  static let defaultN = 10
  static let mostLocations = 80
  /// In characters; longer ones, percent-encoded, would not fit into a request line.
  static let longestPrefix = 300

  /// Which list; the series of its items takes these too.
  static func selection(_ parameters: inout ParameterReader, maximumRows: Int) -> TopItemsQuery {
    let locations = parameters.set(
      "location",
      expected: "a 64-bit integer; for up to \(mostLocations) locations, repeat the parameter",
      limit: mostLocations,
      DecimalInteger.parse
    )
    let n = parameters.one("n", expected: "an integer from 1 to \(largestN)", default: defaultN) { text in
      DecimalInteger.parse(text).flatMap { (1...largestN).contains($0) ? Int($0) : nil }
    }
    let range = TopItemsRange(&parameters)
    return TopItemsQuery(
      locations: locations,
      n: n,
      range: range,
      grouping: parameters.one(
        "group",
        expected: "location or all",
        default: .location,
        Grouping.init(rawValue:)
      ),
      ties: parameters.one("ties", expected: "cut or include", default: .cut, Ties.init(rawValue:)),
      itemPrefix: itemPrefix(&parameters),
      maximumRows: maximumRows
    )
  }

  /// The parameters that add columns and rows.
  static func additions(_ parameters: inout ParameterReader, to query: inout TopItemsQuery) {
    query.hasOthers = parameters.flag("others")
    query.hasShare = parameters.flag("share")
    query.comparesPrevious =
      parameters.one("compare", expected: "previous", Comparison.init(rawValue:)) != nil
  }

  /// The beginning of items' names. An empty one fits all, and is taken for none.
  static func itemPrefix(_ parameters: inout ParameterReader) -> String? {
    let prefix = parameters.one(
      "item",
      expected: "the beginning of a name, of up to \(longestPrefix) characters",
      default: ""
    ) { text in text.unicodeScalars.count <= longestPrefix ? text : nil }
    return prefix.isEmpty ? nil : prefix
  }
}

/// What the list is compared with.
enum Comparison: String, CaseIterable, ParameterValue {
  case previous
}

extension Grouping: ParameterValue {}
extension Ties: ParameterValue {}
extension Bucket: ParameterValue {}

extension TopItemsQuery {
  /// Whether the response cannot have more than a thousand ranked rows.
  var isShort: Bool {
    let rankings = grouping == .all ? 1 : locations.count
    return rankings > 0 && n * rankings <= 1000 && ties == .cut
  }
}
