import Foundation
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 19 and 23: several workers at once.
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
          while ContinuousClock.now < began + .seconds(seconds) {
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

    @Test("one detection sent 100,000 times, through every partition and two workers, is counted once")
    func oneDetection() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 2) { fixture in
          let event = fixture.event()
          for number in 0..<100_000 { try fixture.send(event, partition: Int32(number % 2)) }
          try fixture.send(500)
          var options = fixture.options()
          // So that the database is asked, too.
          options.rememberedDetections = 0
          options.batchMessages = 5000
          let workers = [FaultWorker(options), FaultWorker(options)]
          try fixture.waitUntilCounted(within: .seconds(60), workers[0], workers[1])
          for worker in workers { try worker.stop() }
          findings.expectNone(try fixture.violations(), workers[0].story)
        }
      }
    }
  }
}
