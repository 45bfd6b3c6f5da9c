import CountStore
import Kafka
import Threading

/// Where the worker stands, once a second.
extension IngestionWorker {
  func reportStateNowAndThen(_ consumer: Consumer) {
    let now = MonotonicInstant.now()
    guard now.elapsed(since: stateReported) > .seconds(1) else { return }
    stateReported = now
    probeShortLogs(consumer, now: now)
    reportProgress(consumer)
    observe(.turned(turn(consumer)))
  }

  private func turn(_ consumer: Consumer) -> WorkerTurn {
    let now = ContinuousClock.now
    let keys = assignment.entries.map(\.key)
    lags.assign(keys, at: now)
    let answers = brokers.exchange(keys)
    for (key, end) in answers.ends { lags.record(end: end, of: key, at: answers.endsAt) }
    for entry in assignment.entries {
      if let end = consumer.cachedWatermarks(of: entry.key.topicPartition)?.high {
        lags.record(fetchedEnd: end, of: entry.key, at: now)
      }
      if let next = progress.position(of: entry) { lags.record(next: next, of: entry.key, at: now) }
    }
    var turn = WorkerTurn()
    turn.isAssigned = assignment.hasBegun
    turn.partitions = assignment.entries.map { entry in
      WorkerTurn.Partition(
        key: entry.key,
        standing: WorkerTurn.Partition.ClaimState(entry.standing),
        lag: lags[entry.key]
      )
    }
    turn.brokerAnsweredAt = answers.answeredAt
    turn.brokerError = answers.error
    turn.remembered = builder.remembered
    turn.jobSince = inHand == nil ? nil : jobSince
    turn.isAtDatabase = committer.isAtDatabase
    turn.databaseAnsweredAt = databaseAnsweredAt
    return turn
  }

  private func probeShortLogs(_ consumer: Consumer, now: MonotonicInstant) {
    for (index, entry) in assignment.entries.enumerated() {
      guard let end = consumer.cachedWatermarks(of: entry.key.topicPartition)?.high,
        let position = assignment.compare(index, logEnd: end, now: now)
      else { continue }
      do {
        try consumer.seek([(entry.key.topicPartition, offset: position)], timeout: 1000)
      } catch {
        observe(.brokerError(error))
        assignment[index].shortfall = .none
      }
    }
  }
}
