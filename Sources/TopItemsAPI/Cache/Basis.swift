import CountStore
import Counting

/// What an answer stands on: as long as none of it changes, the same question has the same answer.
struct Basis: Sendable, Equatable {
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
  /// A hash of what it says, without the revision and the watermark, which change although nothing else does. Only
  /// comparable within this process.
  var content: Int
  /// How old its labels may become: they also depend on the clock, and on commits that have nothing to do with its
  /// locations.
  var life: Duration
}

extension Basis {
  /// That of a top list.
  ///
  /// The watermark moves with every commit of any location, and when a partition has been idle for a minute. Behind the
  /// newest window it only is a label, a little old. Of a range that ends before, it decides the state: so that must be
  /// looked at often until it is final.
  init(_ answer: TopItems, to query: TopItemsQuery) {
    locations = query.locations
    revision = answer.revision
    switch query.range {
    case .newest, .between(_, nil):
      end = .newest(answer.to)
      life = .seconds(10)
    case .between:
      end = .fixed
      life = answer.state == .final ? .seconds(60) : .seconds(1)
    }
    var hasher = Hasher()
    hasher.combine(answer.from)
    hasher.combine(answer.to)
    hasher.combine(answer.state)
    for row in answer.rows {
      hasher.combine(row.locationOid)
      // By bytes: a String is equal to another one that is composed differently.
      hasher.combine(bytes: row.locationName.map { Array($0.utf8) } ?? [])
      hasher.combine(row.rank)
      hasher.combine(bytes: Array(row.itemName.utf8))
      hasher.combine(row.count)
    }
    content = hasher.finalize()
  }
}

extension Hasher {
  fileprivate mutating func combine(bytes: [UInt8]) {
    combine(bytes.count)
    bytes.withUnsafeBytes { combine(bytes: $0) }
  }
}
