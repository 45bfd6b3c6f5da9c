public import Counting

/// What one revision changed, as its `NOTIFY` says: enough to decide which cached responses are still valid.
public struct RevisionNotice: Sendable, Equatable {
  /// The revision's number.
  public var revision: Int64
  /// The latest event time that came with it; nil for none. It can begin a new window, and so move every range that
  /// ends at the newest one.
  public var newestEvent: Timestamp?
  /// The locations whose counts or names changed; nil: any may have.
  public var locations: [Int64]?

  /// Takes each property.
  public init(revision: Int64, newestEvent: Timestamp? = nil, locations: [Int64]?) {
    self.revision = revision
    self.newestEvent = newestEvent
    self.locations = locations
  }
}

extension RevisionNotice {
  /// PostgreSQL takes payloads of less than 8,000 bytes; the revision's own digits come on top.
  static let longestSuffix = 7900

  /// What follows the revision in a payload: ` <newest event in µs, or -> <locations, or * for any>`.
  static func suffix(newestEvent: Timestamp?, locations: [Int64]?) -> String {
    let newest = newestEvent.map { String($0.microseconds) } ?? "-"
    var named = ""
    for location in locations ?? [] {
      if !named.isEmpty { named += "," }
      named += String(location)
      if named.utf8.count > longestSuffix - 32 { return " \(newest) *" }
    }
    return " \(newest) \(locations == nil ? "*" : named)"
  }

  /// Reads a payload. What another version may have sent is read as far as it is understood; what is missing may have
  /// changed.
  ///
  /// - Returns: nil for what does not begin with a revision.
  public init?(payload: String) {
    let parts = payload.split(separator: " ", omittingEmptySubsequences: false)
    guard let first = parts.first, let revision = Int64(first) else { return nil }
    self.init(revision: revision, locations: nil)
    guard parts.count >= 3 else { return }
    newestEvent = Int64(parts[1]).map(Timestamp.init(microseconds:))
    let named = parts[2].split(separator: ",")
    let locations = named.compactMap { Int64($0) }
    if locations.count == named.count { self.locations = locations }
  }
}
