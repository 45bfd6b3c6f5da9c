import CountStore
import Counting
public import Prometheus

extension IngestionHealth {
  /// Writes the worker's health metrics, for Prometheus. Unknown values are absent, and known ones have an age, so
  /// that an alert does not end because its cause hides the value.
  ///
  /// - Parameters:
  ///   - now: the same moment on both clocks.
  ///   - seconds: the wall clock, since 1970.
  public func write(to page: inout Exposition, now: ContinuousClock.Instant, wallClock seconds: Double) {
    writePartitions(to: &page, now)
    writeConnections(to: &page, now)
    writeTimes(to: &page, now, wallClock: seconds)
    page.gauge(
      "topitems_dedup_floor_timestamp_seconds",
      "The event time below which events are late.",
      single(
        floorAt.map { now - $0 <= PartitionLag.trust } == true
          ? floor.map { Double($0.microseconds) / 1_000_000 } : nil
      )
    )
    page.gauge(
      "topitems_remembered_detections",
      "Oids kept to drop near duplicates early.",
      single(Double(turn.remembered))
    )
  }

  private func writePartitions(to page: inout Exposition, _ now: ContinuousClock.Instant) {
    func each(_ value: (WorkerTurn.Partition) -> Double?) -> [Exposition.Sample] {
      turn.partitions.compactMap { partition in
        value(partition).map {
          .init([("topic", partition.key.topic), ("partition", "\(partition.key.partition)")], $0)
        }
      }
    }
    page.gauge(
      "topitems_lag_messages",
      "Messages that a broker has and that are not committed; absent without a response of a broker within 15 s.",
      each { $0.lag?.lag(at: now).map(Double.init) }
    )
    page.gauge(
      "topitems_lag_age_seconds",
      "Seconds since a broker last reported the end of the log.",
      each { age($0.lag?.toldAt ?? $0.lag?.assignedAt ?? turnedAt, now) }
    )
    page.gauge(
      "topitems_behind_seconds",
      "Seconds for which the oldest message has waited that may not be committed yet; 0 when all are.",
      single(turn.partitions.isEmpty ? nil : behindSince(at: now).map { age($0, now) } ?? 0)
    )
    page.gauge(
      "topitems_assigned_partitions",
      "Partitions that Kafka has assigned to this worker.",
      single(Double(turn.partitions.count))
    )
    page.gauge(
      "topitems_reading_partitions",
      "Assigned partitions that are claimed and read.",
      single(Double(turn.partitions.count { $0.standing == .reading }))
    )
    page.gauge(
      "topitems_halted_partitions",
      "Partitions that are stopped.",
      single(Double(turn.partitions.count { if case .halted = $0.standing { true } else { false } }))
    )
  }

  private func writeConnections(to page: inout Exposition, _ now: ContinuousClock.Instant) {
    page.gauge(
      "topitems_broker_up",
      "1 when a broker has responded within 15 s.",
      single(isBrokerUp(at: now) ? 1 : 0)
    )
    page.gauge(
      "topitems_database_up",
      "1 when PostgreSQL answered the last heartbeat.",
      single(isDatabaseUp.map { $0 ? 1 : 0 })
    )
    page.gauge("topitems_ready", "1 when /readyz is 200.", single(unreadiness(at: now).isEmpty ? 1 : 0))
  }

  private func writeTimes(
    to page: inout Exposition,
    _ now: ContinuousClock.Instant,
    wallClock seconds: Double
  ) {
    page.gauge(
      "topitems_last_turn_timestamp_seconds",
      "When the polling loop turned last.",
      single(seconds - age(turnedAt, now))
    )
    page.gauge(
      "topitems_last_commit_timestamp_seconds",
      "When this worker committed a batch last.",
      single(lastCommitAt.map { seconds - age($0, now) })
    )
    page.gauge(
      "topitems_background_last_success_timestamp_seconds",
      "When each background task ended well last.",
      BackgroundTask.allCases.compactMap { task in
        backgroundSuccess[task].map { .init([("task", task.rawValue)], seconds - age($0, now)) }
      }
    )
  }

  private func age(_ instant: ContinuousClock.Instant, _ now: ContinuousClock.Instant) -> Double {
    max(0, (now - instant) / .seconds(1))
  }

  private func single(_ value: Double?) -> [Exposition.Sample] { value.map { [.init($0)] } ?? [] }
}
