import Foundation
import Ingestion
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Case 19: workers come and go.
  @Suite("Groups") struct GroupTests {
    @Test("workers that join and leave every two seconds: progress is made, and nothing is lost or repeated")
    func storm() async throws {
      let seconds = Double(ProcessInfo.processInfo.environment["FAULT_SECONDS"] ?? "") ?? 16
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 4) { fixture in
          let watch = InvariantWatch(url: fixture.database)
          let lasting = FaultWorker(fixture.options())
          var guests: [FaultWorker] = []
          let began = ContinuousClock.now
          var next = began + .seconds(2)
          var rounds = 0
          var progress: Int64 = 0
          // Never do two leave at once, or one before the group has noticed another: Tansu takes one that has left
          // for the group's leader then, and never answers a JoinGroup again (docs/faults.md).
          var assignmentsAtLeave = 0
          func leave() throws {
            try guests.removeFirst().stop()
            assignmentsAtLeave = lasting.assignments
          }
          let connection = try fixture.connect()
          var deadline = ProgressDeadline(.seconds(60))
          // On a busy machine the first assignment comes late; the storm lasts until there was one.
          while ContinuousClock.now < began + .seconds(seconds) || progress == 0 {
            try lasting.requireRunning()
            try fixture.send(100)
            usleep(50_000)
            progress = max(progress, try fixture.accountedFor(connection))
            deadline.look("\(progress) messages counted")
            guard !deadline.isOver else {
              throw TestSupportError("\(deadline.verdict)\((guests + [lasting]).map(\.story).joined())")
            }
            guard ContinuousClock.now >= next else { continue }
            let isFull = guests.count == 2 || (guests.count == 1 && rounds % 2 == 1)
            if isFull, lasting.assignments <= assignmentsAtLeave { continue }
            next = .now + .seconds(2)
            rounds += 1
            if isFull { try leave() } else { guests.append(FaultWorker(fixture.options())) }
          }
          while !guests.isEmpty {
            _ = holds(within: .seconds(10)) { lasting.assignments > assignmentsAtLeave }
            try leave()
          }
          try fixture.waitUntilCounted(lasting)
          try lasting.stop()
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), lasting.story)
        }
      }
    }

    @Test("a claim that PostgreSQL kept waiting takes nothing that the group has given to another meanwhile")
    func outdatedClaim() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(partitions: 4) { fixture, _ in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          proxy.set(.refuse)
          let waiting = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
          try waiting.wait("its claim waits for PostgreSQL") { !$0.retries.isEmpty }
          let other = FaultWorker(fixture.options())
          try other.wait("it has its share") { $0.claims.contains { !$0.isEmpty } }
          proxy.set(.forward)
          for _ in 0..<2 {
            try fixture.send(200)
            try fixture.waitUntilCounted(waiting, other)
          }
          try waiting.stop()
          try other.stop()
          let isFenced = other.reported.contains { if case .fenced = $0 { true } else { false } }
          findings.expect(!isFenced, "its partitions were taken\(other.story)")
          findings.expectNone(try fixture.violations(), other.story)
        }
      }
    }
  }
}
