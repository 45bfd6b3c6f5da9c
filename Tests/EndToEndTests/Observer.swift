import Foundation
import Postgres
import Synchronization
import TestSupport

/// Asks the API and the database again and again while events flow: no count and no offset ever goes back (I3, I4).
final class Observer: Sendable {
  struct Report: Sendable {
    var count = 0
    var problems: [String] = []
  }

  private let isDone = Flag()
  private let work: Background<Report>

  init(_ deployment: Deployment, _ server: APIServer) {
    let isDone = isDone
    work = Background {
      var report = Report()
      var before = Snapshot()
      let connection = try deployment.connect()
      defer { connection.close() }
      repeat {
        let now = try Snapshot(connection, server)
        report.problems += now.problems(since: before).prefix(5)
        report.count += 1
        before = now
        Thread.sleep(forTimeInterval: 0.1)
      } while !isDone.isSet && report.problems.count < 20
      return report
    }
  }

  /// Ends it.
  func finish() throws -> Report {
    isDone.set()
    return try work.value()
  }

  deinit { isDone.set() }

  /// What is seen at one time.
  private struct Snapshot {
    var counts: [String: Int64] = [:]
    var offsets: [Int32: Int64] = [:]

    init() {}

    init(_ connection: Connection, _ server: APIServer) throws {
      for row in try server.rows("group=all&n=1000&from=2000-01-01T00:00:00Z") {
        counts[row.item_name] = row.item_count
      }
      let result = try connection.execute("SELECT partition, next_offset FROM ingest_offset")
      for row in 0..<result.count { offsets[try result.int32(row, 0)] = try result.int64(row, 1) }
    }

    func problems(since before: Snapshot) -> [String] {
      before.counts.filter { counts[$0.key, default: 0] < $0.value }.map { item, count in
        "the response went back: \(item) from \(count) to \(counts[item, default: 0])"
      }
        + before.offsets.filter { offsets[$0.key, default: 0] < $0.value }.map { partition, offset in
          "the offset of partition \(partition) went back from \(offset) to \(offsets[partition, default: 0])"
        }
    }
  }
}

/// Set once, asked from another thread.
final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  var isSet: Bool { value.load(ordering: .relaxed) }

  func set() { value.store(true, ordering: .relaxed) }
}
