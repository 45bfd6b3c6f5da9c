import APICore
import HTTP

/// A question that many may ask at once, and that is answered once for all of them.
struct Question: Sendable {
  /// What makes two questions the same.
  struct Key: Hashable, Sendable {
    /// Bytes, as two differently composed strings are equal as `String`s.
    private let bytes: [UInt8]

    /// How much memory it takes, in bytes.
    var memoryBytes: Int { bytes.memoryBytes }

    /// - Parameters:
    ///   - path: the route.
    ///   - format: what was negotiated, where the route has several.
    ///   - parameters: decoded; their order does not matter. A NUL, which no decoded parameter has, parts them.
    ///   - scope: what the caller may see. A response for one scope is never used for another.
    init(
      path: String,
      format: Format = .page,
      parameters: [(name: String, value: String)],
      scope: String = ""
    ) {
      let sorted = parameters.map { Array("\($0.name)\0\($0.value)\0".utf8) }
        .sorted { $0.lexicographicallyPrecedes($1) }
      bytes = Array("\(path)\0\(format.rawValue)\0\(scope)\0".utf8) + sorted.joined()
    }
  }

  var key: Key
  /// Computes the whole 200 response for all clients, and its dependency (nil: for the current waiters only, not
  /// cached). It may wait for the database.
  var answer: @Sendable () throws(APIError) -> (response: Response, dependency: CacheDependency?)

  init(
    key: Key,
    answer: @escaping @Sendable () throws(APIError) -> (response: Response, dependency: CacheDependency?)
  ) {
    self.key = key
    self.answer = answer
  }
}
