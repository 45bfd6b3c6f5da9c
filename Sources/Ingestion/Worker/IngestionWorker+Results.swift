import CountStore
import Counting
import Kafka
import Threading
import Postgres

/// What the committer made of its job, and what follows from it.
extension IngestionWorker {
  func handle(_ result: CommitterResult, _ consumer: Consumer) throws {
    let job = inHand
    inHand = nil
    answeredAt = .now()
    switch result {
    case .claimed, .committed, .unmoved, .fenced: databaseAnsweredAt = .now
    case .outdated, .failed: break
    }
    switch result {
    case .claimed(let claims, let bounds):
      clock = DatabaseClock(bounds)
      for claim in claims { if let gap = claim.gap { observe(.gap(claim.key, gap)) } }
      guard case .claim(let asked, let version) = job, version == assignment.version else {
        // The partitions have changed meanwhile: ask again, knowing what is ours already.
        for claim in claims { remember(claim) }
        return
      }
      begin(claims, asked: asked, consumer)
    case .committed(var report):
      clock = DatabaseClock(report.bounds)
      batchLimit = min(batchLimit * 2, options.batchMessages)
      if case .commit(_, _, _, let times) = job { report.times.merge(times) }
      record(report)
    case .unmoved: break
    case .fenced(let keys):
      observe(.fenced(keys))
      startOver(consumer)
    case .outdated:
      startOver(consumer)
    case .failed(let error, let wait):
      try recover(from: error, retryingAfter: wait, job, consumer)
    }
  }

  private func recover(
    from error: PostgresError,
    retryingAfter wait: Int64,
    _ job: InHand?,
    _ consumer: Consumer
  ) throws {
    if case .commit(let messages, let ends, let last, _) = job, error.remedy == .refuseMessage {
      rejections.suspect(ends)
      try narrowDown(error, messages: messages, last: last)
    } else if error.remedy.isTransient {
      observe(.retrying(error, afterMilliseconds: wait))
      // A batch that takes longer than a statement may will not get through by trying again.
      if case .commit(let messages, _, _, _) = job, error.sqlState == .queryCanceled {
        batchLimit = max(1, messages / 2)
      }
    } else {
      throw IngestionError.database(error)
    }
    startOver(consumer)
  }

  /// Messages are validated before any SQL, so this is rare: halve the batches until the one message that the
  /// database refuses is alone in one, or alone with earlier ones that it has refused.
  ///
  /// It becomes a dead letter in a batch that holds another event, which the database takes: where it refuses
  /// everything, no message is at fault, however often the worker is started again.
  private func narrowDown(
    _ error: PostgresError,
    messages: Int,
    last: (key: PartitionKey, offset: Int64)
  ) throws {
    guard messages == 1 || batchLimit == 1 else {
      batchLimit = max(1, min(messages, batchLimit) / 2)
      return
    }
    let code = error.sqlState?.rawValue ?? "unknown"
    rejections.add(last.key, offset: last.offset, reason: "database_rejected_\(code)")
    lastRefusal = error
    observe(.rejected(last.key, offset: last.offset, error))
    if rejections.areTooMany { throw IngestionError.tooManyRejected(error) }
  }
}
