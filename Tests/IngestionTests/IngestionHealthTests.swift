import CountStore
import Counting
import Postgres
import Testing

@testable import Ingestion

@Suite("a worker's health")
struct IngestionHealthTests {
  private let key = PartitionKey(topic: "t", partition: 0)
  private let later = IngestionHealth.patience + 1

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

  @Test("an idle worker is healthy for ever")
  func idle() {
    var health = IngestionHealth(now: 0)
    #expect(health.complaint(now: later) == nil)
    health.note(.lag([key: 0]), now: later)
    #expect(health.complaint(now: later * 10) == nil)
  }

  @Test("a lag that grows without a commit is a complaint after a minute, not before")
  func stuck() {
    var health = IngestionHealth(now: 0)
    health.note(report(), now: 1000)
    health.note(.lag([key: 50]), now: 2000)
    #expect(health.complaint(now: 2000 + IngestionHealth.patience / 2) == nil)
    #expect(health.complaint(now: 1000 + later)?.contains("50 messages") == true)
    health.note(report(), now: 1000 + later)
    #expect(health.complaint(now: 1000 + later) == nil)
  }

  @Test("a large lag that shrinks is no complaint")
  func catchingUp() {
    var health = IngestionHealth(now: 0)
    health.note(.lag([key: 1_000_000]), now: 0)
    health.note(report(), now: 0)
    health.note(.lag([key: 900_000]), now: later)
    #expect(health.complaint(now: later) == nil)
  }

  @Test("a halted partition is a complaint that says why, until it is given up")
  func halted() {
    var health = IngestionHealth(now: 0)
    health.note(.halted(key, reason: "recreated"), now: 1)
    #expect(health.complaint(now: 2) == "t[0] is stopped: recreated")
    health.note(.revoked([key], lost: false), now: 3)
    #expect(health.complaint(now: 4) == nil)
  }

  @Test("every observation that counts is on the page of figures")
  func metrics() {
    var metrics = IngestionMetrics()
    var fates = FateCounts()
    fates[.counted] = 3
    fates[.late] = 1
    metrics.note(report(fates))
    metrics.note(.lag([key: 12]))
    metrics.note(.remembered(5))
    metrics.note(.retrying(PostgresError(.server, "x", sqlState: .deadlockDetected), afterMilliseconds: 1))
    metrics.note(.retrying(PostgresError(.connection, "x"), afterMilliseconds: 1))
    metrics.note(.gap(key, 10..<15))
    metrics.note(.halted(key, reason: "r"))
    let page = metrics.exposition()
    for line in [
      #"topitems_messages_total{fate="counted"} 3"#, #"topitems_messages_total{fate="late"} 1"#,
      #"topitems_batches_total{path="careful"} 1"#, #"topitems_batch_messages_bucket{le="10"} 1"#,
      #"topitems_batch_seconds_bucket{phase="copy",le="0.0025"} 1"#,
      #"topitems_lag_messages{topic="t",partition="0"} 12"#, "topitems_remembered_detections 5",
      #"topitems_retries_total{class="40"} 1"#, #"topitems_retries_total{class="connection"} 1"#,
      "topitems_gap_messages_total 5", "topitems_halted_partitions 1", "topitems_revision 7",
    ] {
      #expect(page.split(separator: "\n").contains(Substring(line)), "\(line)")
    }
    #expect(page.contains("topitems_watermark_age_seconds 30"))
  }
}
