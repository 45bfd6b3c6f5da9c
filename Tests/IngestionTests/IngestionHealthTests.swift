import Foundation
import CLibrdkafka
import CountStore
import Counting
import Postgres
import Prometheus
import TestSupport
import Testing

@testable import Ingestion
@testable import Kafka

@Suite("a worker's probes and figures")
struct IngestionHealthTests {
  private let key = PartitionKey(topic: "t", partition: 0)
  private let start = ContinuousClock.now
  private let failure = PostgresError(.connection, "no route")

  private func at(_ seconds: Double) -> ContinuousClock.Instant { start + .seconds(seconds) }

  private func report(_ fates: FateCounts = FateCounts()) -> IngestionObservation {
    var part = Batch.Part(topic: "t", partition: 0, epoch: 1, base: 0)
    part.fates = fates
    let bounds = EventTimeBounds(floor: Timestamp(microseconds: 0), now: Timestamp(microseconds: 90_000_000))
    var times = PhaseTimes()
    times.add(.items, microseconds: 500)
    times.add(.copy, microseconds: 2000)
    part.maximumEventAt = Timestamp(microseconds: 60_000_000)
    return .committed(
      BatchReport(
        revision: 7,
        parts: [part],
        bounds: bounds,
        microseconds: 2500,
        times: times,
        usedCarefulPath: true
      )
    )
  }

  /// Of a worker that reads one partition, with all well at that moment unless it is changed.
  private func turn(_ seconds: Double, _ change: (inout WorkerTurn) -> Void = { _ in }) -> WorkerTurn {
    var turn = WorkerTurn()
    turn.isAssigned = true
    let lag = PartitionLag(next: 5, end: 5, toldAt: at(seconds), assignedAt: start, unreadSince: nil)
    turn.partitions = [WorkerTurn.Partition(key: key, standing: .reading, lag: lag)]
    turn.brokerAnsweredAt = at(seconds)
    turn.databaseAnsweredAt = at(seconds)
    change(&turn)
    return turn
  }

  /// A worker that turned once a second until then.
  private func health(
    until seconds: Int,
    _ change: (Double, inout WorkerTurn) -> Void = { _, _ in }
  ) -> IngestionHealth {
    var health = IngestionHealth(now: start)
    for second in 0...seconds {
      health.record(.turned(turn(Double(second)) { change(Double(second), &$0) }), now: at(Double(second)))
    }
    return health
  }

  // MARK: /healthz

  @Test("nothing outside makes it unhealthy: Kafka or PostgreSQL away, a stopped partition, claims that fail")
  func outside() {
    var health = health(until: 900) { _, turn in
      turn.partitions[0].standing = .halted("recreated")
      turn.partitions[0].lag?.unreadSince = start
      turn.brokerAnsweredAt = nil
      turn.databaseAnsweredAt = nil
      turn.jobSince = start
      turn.isAtDatabase = true
    }
    health.record(.heartbeatFailed(failure), now: at(900))
    #expect(health.stall(at: at(900)) == nil)
    #expect(!health.unreadiness(at: at(900)).isEmpty)
  }

  @Test("a polling loop that has not turned for a minute is unhealthy, and not before")
  func stuckLoop() {
    var health = health(until: 10)
    #expect(health.stall(at: at(70)) == nil)
    #expect(health.stall(at: at(71.5)) == "the polling loop has not turned for 61 s")
    #expect(health.unreadiness(at: at(71.5)).contains(.stalled("the polling loop has not turned for 61 s")))
    health.record(.turned(turn(72)), now: at(72))
    #expect(health.stall(at: at(72)) == nil)
  }

  @Test("a committer that has not turned for a minute is unhealthy, unless it waits for PostgreSQL")
  func stuckCommitter() {
    func stuck(_ isAtDatabase: Bool, until seconds: Int) -> IngestionHealth {
      var health = health(until: seconds) { _, turn in
        turn.jobSince = start
        turn.isAtDatabase = isAtDatabase
      }
      health.record(.heartbeat(now: Timestamp(microseconds: 0), floor: nil), now: at(Double(seconds)))
      return health
    }
    #expect(stuck(false, until: 60).stall(at: at(60)) == nil)
    #expect(stuck(false, until: 61).stall(at: at(61)) == "the committer has not turned for 61 s")
    #expect(stuck(true, until: 600).stall(at: at(600)) == nil)
    #expect(stuck(true, until: 601).stall(at: at(601)) != nil, "no batch's statements may take as long")
    var retried = stuck(true, until: 601)
    retried.record(.retrying(failure, afterMilliseconds: 1), now: at(600))
    #expect(retried.stall(at: at(601)) == nil, "an attempt of a claim is a turn")
  }

  // MARK: /readyz

  @Test("a worker that reads is ready, however long nothing comes")
  func ready() {
    #expect(health(until: 3600).unreadiness(at: at(3600)) == [])
  }

  @Test("a worker that the group has assigned nothing yet is not ready; one that it has given nothing is")
  func assignment() {
    #expect(health(until: 1) { $1.isAssigned = false }.unreadiness(at: at(1)) == [.unassigned])
    #expect(health(until: 1) { $1.partitions = [] }.unreadiness(at: at(1)) == [])
  }

  @Test("a halt is not ready and says why, until the partition is given up")
  func halted() {
    var health = health(until: 1) { $1.partitions[0].standing = .halted("recreated") }
    #expect(health.unreadiness(at: at(1)).map(\.description) == ["t[0] is stopped: recreated"])
    health.record(.turned(turn(2) { $0.partitions = [] }), now: at(2))
    #expect(health.unreadiness(at: at(2)) == [])
    health.record(.turned(turn(3)), now: at(3))
    health.record(.halted(key, reason: "gap"), now: at(3))
    #expect(health.unreadiness(at: at(3)) == [.halted(key, "gap")], "before the next turn")
  }

  @Test(
    "partitions of which none is claimed for a minute are not ready",
    arguments: [WorkerTurn.Partition.ClaimState.unclaimed, .fenced]
  )
  func claimless(standing: WorkerTurn.Partition.ClaimState) {
    let health = health(until: 61) { $1.partitions[0].standing = standing }
    #expect(health.unreadiness(at: at(60)) == [])
    #expect(health.unreadiness(at: at(61)) == [.claimless(.seconds(61))])
    let one = self.health(until: 61) {
      $1.partitions.append(WorkerTurn.Partition(key: key, standing: standing))
    }
    #expect(one.unreadiness(at: at(61)) == [], "another partition is read")
  }

  @Test("brokers that do not answer for ten seconds, or do not know the topic, are not ready")
  func brokers() {
    let silent = health(until: 30) { second, turn in if second > 15 { turn.brokerAnsweredAt = at(15) } }
    #expect(silent.unreadiness(at: at(25)) == [])
    #expect(silent.unreadiness(at: at(26)) == [.brokerAway(.seconds(11), "")])
  }

  @Test(
    "failures of PostgreSQL for ten seconds are not ready, whether the committer or the heartbeat meets them"
  )
  func database() {
    var health = health(until: 20) { $1.databaseAnsweredAt = start }
    for second in 1...20 { health.record(.retrying(failure, afterMilliseconds: 1), now: at(Double(second))) }
    #expect(health.unreadiness(at: at(11)) == [])
    #expect(health.unreadiness(at: at(12)) == [.databaseFailing(.seconds(11), "\(failure)")])
    health.record(report(), now: at(21))
    #expect(health.unreadiness(at: at(21)) == [])
    health.record(.heartbeatFailed(failure), now: at(22))
    health.record(.turned(turn(33)), now: at(33))
    #expect(health.unreadiness(at: at(33)) == [.databaseFailing(.seconds(11), "\(failure)")])
    // A missing table is no reason to send no messages to a worker that counts.
    health.record(
      .heartbeatFailed(PostgresError(.server, "x", sqlState: .init(rawValue: "42P01"))),
      now: at(34)
    )
    health.record(.turned(turn(50)), now: at(50))
    #expect(health.unreadiness(at: at(50)).isEmpty)
  }

  @Test("messages that wait for a minute while nothing is committed are not ready; a backlog that shrinks is")
  func stuck() {
    var health = health(until: 61) { $1.partitions[0].lag?.unreadSince = start }
    #expect(health.unreadiness(at: at(60)) == [])
    #expect(health.unreadiness(at: at(61)) == [.notCommitting(.seconds(61))])
    health.record(report(), now: at(61))
    #expect(health.unreadiness(at: at(61)) == [])
  }

  // MARK: The heartbeat

  @Test("the heartbeat is as old as its figures")
  func heartbeat() {
    var health = health(until: 10) { _, turn in
      turn.partitions[0].lag?.end = 25
      turn.partitions[0].lag?.unreadSince = at(4)
    }
    health.record(report(), now: at(3))
    health.record(.retrying(failure, afterMilliseconds: 1), now: at(9))
    var heartbeat = health.heartbeat(at: at(10))
    #expect(
      heartbeat.age == 10_000_000 && heartbeat.partitions == [key] && heartbeat.lags == [20]
        && heartbeat.lag == 20
    )
    #expect(
      heartbeat.isBrokerReachable && heartbeat.behindFor == 6_000_000 && heartbeat.sinceCommit == 7_000_000
    )
    #expect(heartbeat.lastError?.text == "\(failure)" && heartbeat.lastError?.age == 1_000_000)
    heartbeat = health.heartbeat(at: at(30))
    #expect(
      heartbeat.lags == [nil] && heartbeat.lag == nil && !heartbeat.isBrokerReachable
        && heartbeat.behindFor == 26_000_000
    )
  }

  @Test("a worker that has lost its partitions a moment ago, as in a rebalance, is behind since that moment")
  func rebalance() {
    #expect(
      health(until: 50) { second, turn in if second >= 48 { turn.partitions = [] } }.heartbeat(at: at(50))
        .behindFor == 2_000_000
    )
    #expect(health(until: 50) { $1.partitions = [] }.heartbeat(at: at(50)).behindFor == 50_000_000)
  }

  // MARK: /metrics

  private func page(
    _ health: IngestionHealth,
    _ metrics: IngestionMetrics = IngestionMetrics(),
    at seconds: Double
  )
    -> [Substring]
  {
    var page = Exposition()
    metrics.write(to: &page)
    health.write(to: &page, now: at(seconds), wallClock: 1_000_000 + seconds)
    return page.text.split(separator: "\n")
  }

  @Test("figures that are not known any more are gone, and their age goes on, so that an alert stays")
  func frozen() {
    var health = health(until: 10) { $1.partitions[0].lag?.end = 12 }
    health.record(report(), now: at(8))
    health.record(
      .heartbeat(now: Timestamp(microseconds: 0), floor: Timestamp(microseconds: 5_000_000)),
      now: at(9)
    )
    health.record(.backgroundSucceeded(.maintenance), now: at(7))
    let lines = page(health, at: 10)
    for line in [
      #"topitems_lag_messages{topic="t",partition="0"} 7"#,
      #"topitems_lag_age_seconds{topic="t",partition="0"} 0"#,
      "topitems_assigned_partitions 1", "topitems_reading_partitions 1", "topitems_broker_up 1",
      "topitems_database_up 1", "topitems_last_commit_timestamp_seconds 1000008", "topitems_ready 1",
      #"topitems_background_last_success_timestamp_seconds{task="maintenance"} 1000007"#,
      "topitems_dedup_floor_timestamp_seconds 5",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
    health.record(.heartbeatFailed(failure), now: at(40))
    let later = page(health, at: 40)
    #expect(!later.contains { $0.hasPrefix("topitems_lag_messages{") })
    for line in [
      #"topitems_lag_age_seconds{topic="t",partition="0"} 30"#, "topitems_behind_seconds 30",
      "topitems_broker_up 0", "topitems_database_up 0", "topitems_last_commit_timestamp_seconds 1000008",
      "topitems_ready 0", "topitems_last_turn_timestamp_seconds 1000010",
    ] {
      #expect(later.contains(Substring(line)), "\(line)")
    }
  }

  @Test("every observation that counts is on the page of figures")
  func metrics() {
    var metrics = IngestionMetrics()
    var fates = FateCounts()
    fates[.counted] = 3
    fates[.late] = 1
    metrics.record(report(fates))
    metrics.record(.retrying(PostgresError(.server, "x", sqlState: .deadlockDetected), afterMilliseconds: 1))
    metrics.record(.retrying(PostgresError(.connection, "x"), afterMilliseconds: 1))
    metrics.record(.gap(key, 10..<15))
    let health = health(until: 1) { _, turn in
      turn.remembered = 5
      turn.partitions[0].standing = .halted("r")
    }
    let lines = page(health, metrics, at: 1)
    for line in [
      #"topitems_messages_total{fate="counted"} 3"#, #"topitems_messages_total{fate="late"} 1"#,
      #"topitems_batches_total{path="careful"} 1"#, #"topitems_batch_messages_bucket{le="10"} 1"#,
      #"topitems_batch_seconds_bucket{phase="copy",le="0.0025"} 1"#, "topitems_remembered_detections 5",
      #"topitems_retries_total{class="40"} 1"#, #"topitems_retries_total{class="connection"} 1"#,
      "topitems_gap_messages_total 5", "topitems_halted_partitions 1", "topitems_revision 7",
    ] {
      #expect(lines.contains(Substring(line)), "\(line)")
    }
    #expect(lines.contains { $0.hasPrefix("topitems_watermark_age_seconds 30") })
  }

  @Test("every metric of the worker is in docs/operations.md")
  func documented() throws {
    let text = try String(contentsOf: Checkout.root.appending(path: "docs/operations.md"), encoding: .utf8)
    var metrics = IngestionMetrics()
    metrics.record(report(FateCounts()))
    let health = health(until: 1) { $1.partitions[0].lag?.end = 12 }
    let names = page(health, metrics, at: 1).compactMap { line in
      line.hasPrefix("# TYPE ") ? line.split(separator: " ")[2] : nil
    }
    #expect(names.count > 20)
    for name in names {
      #expect(text.contains("`\(name)`") || text.contains("`\(name){"), "\(name)")
    }
  }

  @Test("a worker to which the group leaves nothing is ready once the topic that was missing is there")
  func topicMadeLater() {
    var health = IngestionHealth(now: start)
    health.record(.turned(turn(1) { $0.partitions = [] }), now: at(1))
    health.record(.brokerError(KafkaError(code: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART)), now: at(1))
    func isMissing(_ seconds: Double) -> Bool {
      health.unreadiness(at: at(seconds)).contains { if case .topicMissing = $0 { true } else { false } }
    }
    #expect(isMissing(2))
    health.record(.assigned([]), now: at(3))
    health.record(.turned(turn(3) { $0.partitions = [] }), now: at(3))
    #expect(!isMissing(3))
  }
}
