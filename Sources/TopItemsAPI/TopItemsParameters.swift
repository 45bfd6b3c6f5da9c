import CountStore
import Counting

/// What the parameters of `top-items` mean.
struct TopItemsParameters: Equatable {
  /// How oids are written; counts and ranks are numbers either way.
  enum IntegerStyle: String, CaseIterable {
    case string
    case number
  }

  static let names = ["location", "n", "from", "to", "window", "group", "int64"]
  static let largestN: Int64 = 1000
  static let defaultN = 10
  /// One hour, in microseconds.
  static let defaultWindow: Int64 = 3_600_000_000
  /// A hundred years of 365 days: longer than any camera counts, and far from where arithmetic ends.
  static let longestWindow: Int64 = 36_500 * 86_400_000_000

  var query: TopItemsQuery
  var integers: IntegerStyle

  init(_ parameters: Parameters, maximumRows: Int) throws(APIError) {
    let locations = try parameters.all(
      "location",
      expected: "a 64-bit integer; for several locations, repeat the parameter",
      Parameters.integer
    )
    let n = try parameters.one("n", expected: "an integer from 1 to \(Self.largestN)") { text in
      Parameters.integer(text).flatMap { (1...Self.largestN).contains($0) ? Int($0) : nil }
    }
    let grouping = try parameters.one("group", expected: "location or all", Grouping.init(rawValue:))
    let integers = try parameters.one("int64", expected: "string or number", IntegerStyle.init(rawValue:))
    query = TopItemsQuery(
      locations: Self.distinct(locations),
      n: n ?? Self.defaultN,
      range: try Self.range(parameters),
      grouping: grouping ?? .location,
      maximumRows: maximumRows
    )
    self.integers = integers ?? .string
  }

  private static func range(_ parameters: Parameters) throws(APIError) -> TopItemsRange {
    let expected = """
      an RFC 3339 time such as 2026-11-01T00:00:00Z (the + of an offset is written %2B in a query, \
      where + stands for a space)
      """
    let from = try parameters.one("from", expected: expected, Timestamp.init(rfc3339:))
    let to = try parameters.one("to", expected: expected, Timestamp.init(rfc3339:))
    let window = try parameters.one(
      "window",
      expected: "an ISO 8601 duration such as PT15M or P1D, without years and months, at most P36500D"
    ) { text in
      TimeSpan(iso8601: text).flatMap { $0.microseconds <= longestWindow ? $0 : nil }
    }
    if let window {
      if from != nil { throw .contradictoryParameters("window", other: "from") }
      if to != nil { throw .contradictoryParameters("window", other: "to") }
      return .newest(window)
    }
    if let from, let to, from >= to { throw .emptyRange }
    if from != nil || to != nil { return .between(from, to) }
    guard let hour = TimeSpan(microseconds: defaultWindow) else { preconditionFailure("an hour is positive") }
    return .newest(hour)
  }

  /// Each location once, in the order of the request.
  private static func distinct(_ oids: [Int64]) -> [Int64] {
    var seen: Set<Int64> = []
    return oids.filter { seen.insert($0).inserted }
  }
}
