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
  private var locations: [Int64: UInt64] = [:]
  /// The latest event time, and when it was heard.
  private var newest: (event: Timestamp, heard: UInt64)?

  init() {}

  /// Anything may have changed.
  mutating func noteAnything() {
    sequence += 1
    anything = sequence
    locations = [:]
    newest = nil
  }

  mutating func note(_ notices: [RevisionNotice]) {
    guard !notices.isEmpty else { return }
    sequence += 1
    for notice in notices {
      if let event = notice.newestEvent, newest.map({ event > $0.event }) ?? true {
        newest = (event, sequence)
      }
      guard let changed = notice.locations else {
        anything = sequence
        continue
      }
      if !changed.isEmpty { anyLocation = sequence }
      for location in changed { locations[location] = sequence }
    }
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
    return basis.locations.allSatisfy { (locations[$0] ?? 0) <= heard }
  }
}
