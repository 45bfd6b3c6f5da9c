import CountStore
import Threading
import Postgres

/// Whether queries fail although PostgreSQL can be reached: a right that is missing, a table that is not there, a
/// full or broken disk. A probe that only looks at the schema would not find it.
///
/// Failures of the connection are left out, as the probe meets them itself; so are those that a single query may
/// be to blame for, as its time limit.
struct RecentFailures {
  /// After so many in a row.
  static let limit = 3
  /// For so long after the last one. Then it is tried whether queries are answered again.
  static let memory = Duration.seconds(10)

  private var count = 0
  private var last: (error: CountStoreError, at: ContinuousClock.Instant)?

  /// - Parameter error: nil for a query that was answered.
  mutating func record(_ error: CountStoreError?, at now: ContinuousClock.Instant) {
    guard let error else {
      count = 0
      last = nil
      return
    }
    guard Self.concernsAll(error) else { return }
    count += 1
    last = (error, now)
  }

  /// What the last queries have failed with; nil while some are answered.
  func verdict(at now: ContinuousClock.Instant) -> CountStoreError? {
    guard let last, count >= Self.limit, now - last.at <= Self.memory else { return nil }
    return last.error
  }

  private static func concernsAll(_ error: CountStoreError) -> Bool {
    guard case .postgres(let error) = error, let state = error.sqlState?.rawValue else { return false }
    // 42501: insufficient_privilege; 53: resources, without 53300, too many connections; 58: the system; XX: a broken
    // table or index.
    return error.isNotMigrated || state == "42501" || (error.class == "53" && state != "53300")
      || error.class == "58" || error.class == "XX"
  }
}

/// `RecentFailures` for the threads that answer.
final class QueryOutcomes: Sendable {
  private let failures = Lock(RecentFailures())

  func record(_ error: CountStoreError?) { failures.withLock { $0.record(error, at: .now) } }

  var verdict: CountStoreError? { failures.withLock { $0.verdict(at: .now) } }
}
