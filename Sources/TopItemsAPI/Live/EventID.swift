import CountStore
import Counting

/// Names what a subscriber has seen: the revision, and the state of the workers where it is known, which changes
/// without one. The same on every server.
struct EventID: Equatable {
  var revision: Int64
  /// As in `text`; nil where the state was not known.
  var state: String?

  /// Of a response; that of one that nothing is known of is 0.
  init(_ dependency: CacheDependency?) {
    revision = dependency?.revision ?? 0
    state = dependency?.freshness.map { label in
      let since = label.since.map { String($0.microseconds / 1_000_000) } ?? ""
      return "\(label.name)\(since)"
    }
  }

  /// Reads `text`; nil for what is none.
  init?(text: String) {
    let parts = text.split(separator: "-", maxSplits: 1, omittingEmptySubsequences: false)
    guard let first = parts.first, let revision = Int64(first) else { return nil }
    self.revision = revision
    state = parts.count == 2 ? String(parts[1]) : nil
  }

  /// As it is sent: `1793577600123-live`.
  var text: String { state.map { "\(revision)-\($0)" } ?? "\(revision)" }
}
