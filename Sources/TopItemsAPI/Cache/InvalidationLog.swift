import CountStore
import Counting

/// The changes so far: a value that decides whether a cached response is still valid.
///
/// A change only appends here; each response is compared with the log at its next use.
struct InvalidationLog: Sendable {
  /// How many changed locations are listed. More invalidate all responses.
  static let locationLimit = 65_536

  /// Grows with each event.
  private(set) var sequence: UInt64 = 1
  /// When anything may have changed.
  private var anything: UInt64 = 1
  /// When any location has changed.
  private var anyLocation: UInt64 = 0
  private var locations: [Int64: Sequences] = [:]
  /// The latest event time, and the sequence number of its change.
  private var newest: (event: Timestamp, sequence: UInt64)?

  /// The sequence numbers of a location's last change, for responses about it alone and for those about several.
  private struct Sequences {
    var alone: UInt64 = 0
    var together: UInt64 = 0
  }

  init() {}

  /// Anything may have changed.
  mutating func invalidateAll() {
    sequence += 1
    anything = sequence
    locations = [:]
    newest = nil
  }

  mutating func record(_ committed: CommittedChanges) {
    guard !committed.isEmpty else { return }
    sequence += 1
    if let event = committed.newestEvent, newest.map({ event > $0.event }) ?? true {
      newest = (event, sequence)
    }
    if committed.alone == nil || committed.together == nil { anything = sequence }
    for location in committed.alone ?? [] { locations[location, default: Sequences()].alone = sequence }
    for location in committed.together ?? [] { locations[location, default: Sequences()].together = sequence }
    if committed.together?.isEmpty == false { anyLocation = sequence }
    if locations.count > Self.locationLimit {
      anything = sequence
      locations = [:]
    }
  }

  /// Whether no change after the sequence number `number` affects a response with this dependency.
  func leave(_ dependency: CacheDependency, since number: UInt64) -> Bool {
    guard number < sequence else { return true }
    guard anything <= number else { return false }
    if case .newest(let end) = dependency.end, let newest, newest.sequence > number {
      guard let end, newest.event < end else { return false }
    }
    if dependency.locations.isEmpty { return anyLocation <= number }
    let way = dependency.locations.count == 1 ? \Sequences.alone : \Sequences.together
    return dependency.locations.allSatisfy { (locations[$0]?[keyPath: way] ?? 0) <= number }
  }
}
