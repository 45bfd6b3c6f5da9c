import CountStore
import Counting

/// What was heard of changes: a value that tells whether an answer from then still holds.
///
/// Nothing is looked for when news come; each answer is compared with them when it is asked for next.
struct HeardChanges: Sendable {
  /// More locations than this are not told apart any more.
  static let locationLimit = 65_536

  /// Grows with each news.
  private(set) var sequence: UInt64 = 1
  /// When anything may have changed.
  private var anything: UInt64 = 1
  /// When any location has changed.
  private var anyLocation: UInt64 = 0
  private var locations: [Int64: Heard] = [:]
  /// The latest event time, and when it was heard.
  private var newest: (event: Timestamp, heard: UInt64)?

  /// When a location has changed, as answers about it alone, and those about several, have heard.
  private struct Heard {
    var alone: UInt64 = 0
    var together: UInt64 = 0
  }

  init() {}

  /// Anything may have changed.
  mutating func noteAnything() {
    sequence += 1
    anything = sequence
    locations = [:]
    newest = nil
  }

  mutating func note(_ heard: HeardRevisions) {
    guard !heard.isEmpty else { return }
    sequence += 1
    if let event = heard.newestEvent, newest.map({ event > $0.event }) ?? true {
      newest = (event, sequence)
    }
    if heard.alone == nil || heard.together == nil { anything = sequence }
    for location in heard.alone ?? [] { locations[location, default: Heard()].alone = sequence }
    for location in heard.together ?? [] { locations[location, default: Heard()].together = sequence }
    if heard.together?.isEmpty == false { anyLocation = sequence }
    if locations.count > Self.locationLimit {
      anything = sequence
      locations = [:]
    }
  }

  /// Whether nothing was heard after `heard` that changes an answer on this basis.
  func leave(_ basis: Basis, since heard: UInt64) -> Bool {
    guard heard < sequence else { return true }
    guard anything <= heard else { return false }
    if case .newest(let end) = basis.end, let newest, newest.heard > heard {
      guard let end, newest.event < end else { return false }
    }
    if basis.locations.isEmpty { return anyLocation <= heard }
    let way = basis.locations.count == 1 ? \Heard.alone : \Heard.together
    return basis.locations.allSatisfy { (locations[$0]?[keyPath: way] ?? 0) <= heard }
  }
}
