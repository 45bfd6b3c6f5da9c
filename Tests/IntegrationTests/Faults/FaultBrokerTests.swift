import Foundation
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 12 to 14 and 20 on the broker's side, with librdkafka's mock cluster and the proxy.
  @Suite("Brokers") struct BrokerTests {
    @Test("leaders and coordinators that move, slow responses and failing requests lose and repeat nothing")
    func moving() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(brokers: 3, partitions: 2) { fixture, cluster in
          let worker = FaultWorker(fixture.options())
          let watch = InvariantWatch(url: fixture.database)
          try fixture.send(500)
          try fixture.waitUntilCounted(worker)
          let partitions = (0..<2).map { TopicPartition(topic: fixture.topic, partition: $0) }
          for round in Int32(0)..<2 {
            try cluster.setLeader(of: partitions[0], to: round + 1)
            try cluster.setLeader(of: partitions[1], to: (round + 1) % 3 + 1)
            try cluster.setCoordinator(ofGroup: fixture.group, to: round + 1)
            if round == 0 { try cluster.setRoundTrip(milliseconds: 500) }
            if round == 1 { try cluster.setRoundTrip(milliseconds: 0) }
            cluster.fail(
              .fetch,
              with: [.kafkaStorageError, .notLeaderForPartition, .unknownTopicOrPartition]
            )
            cluster.fail(.heartbeat, with: [.coordinatorNotAvailable, .notCoordinator, .rebalanceInProgress])
            cluster.fail(.listOffsets, with: [.notLeaderForPartition])
            try fixture.send(300)
            try fixture.waitUntilCounted(worker)
          }
          // A member that the coordinator has forgotten joins again.
          cluster.fail(.heartbeat, with: [.unknownMemberID])
          try fixture.send(300)
          try worker.wait("the partitions are lost") {
            $0.reported.contains { if case .revoked(_, true) = $0 { true } else { false } }
          }
          try fixture.send(300)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(worker.halts.isEmpty, "\(worker.halts)")
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("all brokers away, also while the worker starts, then back: the lag drains")
    func allDown() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(brokers: 2, partitions: 2) { fixture, cluster in
          try fixture.send(500)
          try cluster.setDown()
          let worker = FaultWorker(fixture.options())
          usleep(2_000_000)
          try worker.requireRunning()
          try cluster.setUp()
          try fixture.waitUntilCounted(worker)
          try cluster.setDown()
          // Longer than the session lasts.
          usleep(4_000_000)
          try worker.requireRunning()
          try cluster.setUp()
          try fixture.send(500)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(worker.halts.isEmpty, "\(worker.halts)")
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("a partition without a leader does not hold up the others, and goes on when it has one")
    func leaderless() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(brokers: 1, partitions: 2) { fixture, cluster in
          let partition = TopicPartition(topic: fixture.topic, partition: 0)
          for _ in 0..<100 {
            try fixture.send(fixture.event(), partition: 0)
            try fixture.send(fixture.event(), partition: 1)
          }
          try fixture.flush()
          try cluster.setLeader(of: partition, to: nil)
          let worker = FaultWorker(fixture.options())
          try worker.wait("partition 1 is counted") { _ in
            try fixture.number("SELECT max(next_offset) FROM ingest_offset WHERE partition = 1") == 100
          }
          try cluster.setLeader(of: partition, to: 1)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("silent leaders hold up neither the other partitions nor the group when all is claimed again")
    func silentLeaders() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(brokers: 2, partitions: 8) { fixture, cluster in
          var options = fixture.options()
          // Shorter than waiting for all of these leaders in one turn.
          options.kafka["max.poll.interval.ms"] = "8000"
          try cluster.setCoordinator(ofGroup: fixture.group, to: 1)
          for partition in Int32(0)..<8 {
            let place = TopicPartition(topic: fixture.topic, partition: partition)
            try cluster.setLeader(of: place, to: partition < 6 ? 2 : 1)
          }
          for number in Int32(0)..<80 { try fixture.send(fixture.event(), partition: number % 8) }
          try fixture.flush()
          // Longer than its watermarks are waited for.
          try cluster.setRoundTrip(2, milliseconds: 3000)
          let worker = FaultWorker(options)
          func accountedFor() throws -> Int64 {
            try fixture.number("SELECT sum(next_offset)::bigint FROM ingest_offset WHERE partition >= 6")
          }
          try worker.wait("the others are counted", within: .seconds(40)) { _ in try accountedFor() == 20 }
          try fixture.endSessions()
          for number in Int32(1)...15 {
            try fixture.send(fixture.event(), partition: 6 + number % 2)
            try fixture.flush()
            try worker.wait("\(number) more are counted", within: .seconds(40)) { _ in
              try accountedFor() == 20 + Int64(number)
            }
          }
          try cluster.setRoundTrip(2, milliseconds: 0)
          try fixture.send(200)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          let evictions = worker.reported.filter {
            if case .revoked(_, let isLost) = $0 { isLost } else { false }
          }
          findings.expect(evictions.isEmpty, "evicted\(worker.story)")
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("failures to read a quiet partition that were recovered from do not add up until it halts")
    func quietTrouble() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock(partitions: 1) { fixture, cluster in
          let worker = FaultWorker(fixture.options())
          try fixture.send(50)
          try fixture.waitUntilCounted(worker)
          for round in 1...5 {
            let claims = worker.claims.count
            cluster.fail(.fetch, with: [.offsetOutOfRange])
            try worker.wait("it is read again after failure \(round)") { $0.claims.count > claims }
            // The log's end comes with the next fetch, which nothing announces.
            usleep(500_000)
          }
          findings.expect(worker.halts.isEmpty, "\(worker.halts)\(worker.story)")
          try fixture.send(50)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test(
      "a black hole to the broker is noticed, and after it all is counted",
      arguments: [FaultProxy.Mode.stall, .swallow]
    )
    func blackHole(mode: FaultProxy.Mode) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.brokers)
          defer { proxy.close() }
          proxy.standInForBroker()
          let worker = FaultWorker(fixture.options(brokers: proxy.address))
          try fixture.send(500)
          try fixture.waitUntilCounted(worker)
          let accepted = proxy.accepted
          proxy.set(mode)
          try fixture.send(500)
          try worker.wait("librdkafka gives the connection up", within: .seconds(20)) { worker in
            proxy.accepted > accepted
              || worker.reported.contains {
                if case .kafka(.error(let error)) = $0 { error.isTimeout || error.isRetriable } else { false }
              }
          }
          proxy.set(.forward)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("a broker whose connections are cut again and again: nothing is lost or repeated")
    func cuts() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.brokers)
          defer { proxy.close() }
          proxy.standInForBroker()
          let worker = FaultWorker(fixture.options(brokers: proxy.address))
          var random = SeededGenerator(seed: 11)
          for _ in 0..<10 {
            proxy.cut(afterBytes: Int.random(in: 1...60_000, using: &random))
            try fixture.send(300)
            usleep(200_000)
            proxy.cut()
          }
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("a worker whose group.instance.id another worker has taken ends at once, with the reason")
    func fenced() async throws {
      try await onOwnThread { findings in
        try FaultFixture.withMock { fixture, cluster in
          var options = fixture.options()
          options.kafka["group.instance.id"] = "camera-hall-1"
          let worker = FaultWorker(options)
          try fixture.send(300)
          try fixture.waitUntilCounted(worker)
          cluster.fail(.heartbeat, with: [.fencedInstanceID])
          do {
            let fates = try worker.value(within: 20)
            findings.expect(false, "it ended well: \(fates)")
          } catch let error as IngestionError {
            guard case .kafka(let reason) = error else { throw error }
            findings.expect(reason.isFatal, "\(reason)")
            findings.expect("\(error)".contains("FENCED_INSTANCE_ID"), "\(error)")
          }
          cluster.stopFailing(.heartbeat)
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }
  }
}
