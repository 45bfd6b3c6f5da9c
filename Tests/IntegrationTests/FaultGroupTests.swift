import Foundation
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
          let connection = try fixture.connect()
          // On a busy machine the first assignment comes late; the storm lasts until there was one.
          while ContinuousClock.now < began + .seconds(progress > 0 ? seconds : max(seconds, 90)) {
            try lasting.requireRunning()
            try fixture.send(100)
            usleep(50_000)
            guard ContinuousClock.now >= next else { continue }
            next += .seconds(2)
            rounds += 1
            progress = max(progress, try fixture.accountedFor(connection))
            // Up to two guests; never do two leave at once (Tansu forgets the group's leader then).
            if guests.count == 2 || (guests.count == 1 && rounds % 2 == 0) {
              try guests.removeFirst().stop()
            } else {
              guests.append(FaultWorker(fixture.options()))
            }
          }
          findings.expect(progress > 0, "no progress in \(rounds) rounds")
          for guest in guests { try guest.stop() }
          try fixture.waitUntilCounted(lasting)
          try lasting.stop()
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), lasting.story)
        }
      }
    }
  }
}
