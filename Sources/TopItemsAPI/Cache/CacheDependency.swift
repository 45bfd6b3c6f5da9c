import CountStore
import Counting

/// What a cached response depends on: while none of it changes, the same query has the same response.
struct CacheDependency: Sendable, Equatable {
  /// Where the range of time ends.
  enum End: Sendable, Equatable {
    /// At a fixed time.
    case fixed
    /// With the newest counted window: here (nil: nothing is counted yet), until an event comes that is not before it.
    case newest(Timestamp?)
  }

  /// The locations whose counts and names are in it; empty for every location.
  var locations: [Int64]
  /// What moves its range.
  var end: End
  /// The revision that it is complete at.
  var revision: Int64
  /// The state of the workers in the response; nil where it was not known.
  var freshness: FreshnessLabel?
  /// A hash of what it says, without the revision and the watermark, which change although nothing else does. Only
  /// comparable within this process.
  var content: Int
  /// How old its labels may become: they also depend on the clock, and on commits that have nothing to do with its
  /// locations.
  var life: Duration
}

/// What the counts in a response were asked for and what was said of them.
struct ResultContext {
  var query: TopItemsQuery
  var labels: ResultLabels
  /// What is known of the workers.
  var freshness: FreshnessLabel?
  /// What else the response says of itself that only counts change.
  var isTied = false
}

extension CacheDependency {
  /// That of counts.
  ///
  /// The watermark moves with every commit of any location, and when a partition has been idle for a minute. Behind the
  /// newest window it only is a label, a little old. Of a range that ends before, it decides the state: so that must be
  /// looked at often until it is final.
  ///
  /// - Parameter rows: as they are written.
  init(_ standing: ResultContext, rows: [UInt8]) {
    let labels = standing.labels
    locations = standing.query.locations
    revision = labels.revision
    freshness = standing.freshness
    switch standing.query.range {
    case .newest, .between(_, nil):
      end = .newest(labels.to)
      life = .seconds(10)
    case .between:
      end = .fixed
      life = labels.state == .final ? .seconds(60) : .seconds(1)
    }
    var hasher = Hasher()
    hasher.combine(labels.from)
    hasher.combine(labels.to)
    hasher.combine(labels.state)
    hasher.combine(standing.freshness)
    hasher.combine(standing.isTied)
    rows.withUnsafeBytes { hasher.combine(bytes: $0) }
    content = hasher.finalize()
  }
}
