import APICore
import Counting
import HTTP

/// A query that many may ask at once, and that is answered once for all of them.
struct SharedQuery: Sendable {
  /// What makes two queries the same, for the cache and for cursors.
  struct Key: Hashable, Sendable {
    /// The parts, each ended by a NUL: path, format, parameters, and what the caller may see. A response for one scope
    /// is never used for another.
    let bytes: [UInt8]

    /// How much memory it takes, in bytes.
    var memoryBytes: Int { bytes.memoryBytes }

    /// - Parameters:
    ///   - path: the route.
    ///   - format: what was negotiated, where the route has several.
    ///   - parameters: as they were read.
    init(path: String, format: Format, parameters: ParameterReader, scope: LocationScope) {
      var bytes = Array("\(path)\0\(format.rawValue)\0".utf8) + parameters.query
      switch scope {
      case .all: break
      case .only(let locations):
        // Not the name of a parameter.
        bytes += "\0".utf8
        for location in locations.sorted() { bytes += "\(location)\0".utf8 }
      }
      self.bytes = bytes
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
