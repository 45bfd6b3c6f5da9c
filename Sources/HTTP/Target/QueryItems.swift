/// Why a query cannot be read.
public struct QueryError: Error, Sendable, Hashable {
  /// The parameter it is about, when its name could be read.
  public var name: String?
  /// One clause for people.
  public var detail: String
}

extension Target {
  /// The parameters of the query in their order, decoded once as HTML forms do it: "+" is a space. A parameter
  /// without "=" has the value "". Empty parts (`a&&b`) are skipped, repeated names are the caller's business.
  ///
  /// Throws for a malformed percent-encoding, bytes that are not UTF-8, a NUL, and for more than `limit` parameters.
  public func queryItems(limit: Int = 100) throws(QueryError) -> [(name: String, value: String)] {
    guard let query else { return [] }
    var items: [(name: String, value: String)] = []
    for part in Array(query.utf8).split(separator: UInt8(ascii: "&")) {
      guard items.count < limit else {
        throw QueryError(name: nil, detail: "more than \(limit) query parameters")
      }
      let equals = part.firstIndex(of: UInt8(ascii: "=")) ?? part.endIndex
      guard let name = PercentDecoding.queryComponent(part[..<equals]) else {
        throw QueryError(name: nil, detail: "a query parameter's name is not percent-encoded UTF-8")
      }
      guard let value = PercentDecoding.queryComponent(part[equals...].dropFirst()) else {
        throw QueryError(name: name, detail: "the value is not percent-encoded UTF-8")
      }
      items.append((name, value))
    }
    return items
  }
}
