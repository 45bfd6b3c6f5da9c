import CountStore
import Counting
import Kafka
import Postgres

/// Why a worker ended before it was told to.
public enum IngestionError: Error, Sendable, CustomStringConvertible {
  /// Kafka ended this consumer for good, e.g. because another member has its `group.instance.id`.
  case kafka(KafkaError)
  /// The database refuses what the worker does, and would again: a missing migration or right, a full type, a bug.
  case database(PostgresError)
  /// The database refuses more messages than can be bad luck.
  case tooManyRejected(PostgresError)
  /// `--drain` came to an end, but these partitions had been stopped.
  case halted(String)

  /// What happened, for an operator.
  public var description: String {
    switch self {
    case .kafka(let error): "Kafka ended this worker: \(error)"
    case .database(let error): "PostgreSQL refuses the batch, which is rolled back: \(error)"
    case .tooManyRejected(let error):
      "PostgreSQL refuses more than 10 messages of a batch; the last time: \(error)"
    case .halted(let reason): "a partition is stopped: \(reason)"
    }
  }
}

/// Reads detections from Kafka and counts each exactly once in PostgreSQL.
///
/// The calling thread polls, decodes and fills the next batch while the `Committer`'s thread commits the last one.
/// Whatever fails, recovery is one thing: forget what is not committed, ask PostgreSQL where each partition goes on
/// (`claim`), seek there, and read again.
public final class IngestionWorker {
  private let options: IngestionOptions
  private let isStopping: @Sendable () -> Bool
  private let observe: @Sendable (IngestionObservation) -> Void
  private let committer: Committer
  private let maintenance: Maintenance

  private var builder: BatchBuilder
  private var assignment = Assignment()
  private var clock: DatabaseClock?
  /// The job that the committer has in hand.
  private var inHand: InHand?
  private var rejections = Rejections()
  /// Since when the committer has had its job (CLOCK_MONOTONIC, µs).
  private var handedOver: Int64 = 0
  /// Whether reading is paused because the committer takes long over a batch and the next one is full.
  private var isHeld = false
  /// An offset that was read from is not in the log (any more): the claims must tell how to go on.
  private var mustStartOver = false
  private var batchLimit: Int
  private var fates = FateCounts()
  private var reportedToKafka: Int64 = 0
  private var progress: [PartitionKey: Int64] = [:]
  private var committed: [PartitionKey: Int64] = [:]
  private var stateReported: Int64 = 0

  private enum InHand {
    case claim(keys: Set<PartitionKey>, version: Int)
    /// `ends` are the offsets behind the batch's parts.
    case commit(messages: Int, ends: [PartitionKey: Int64])
  }

  /// - Parameters:
  ///   - isStopping: asked many times a second whether to stop.
  ///   - observe: called from every thread of the worker; it must be quick.
  public init(
    _ options: IngestionOptions,
    isStopping: @escaping @Sendable () -> Bool,
    observe: @escaping @Sendable (IngestionObservation) -> Void
  ) {
    self.options = options
    self.isStopping = isStopping
    self.observe = observe
    committer = Committer(options, observe: observe)
    maintenance = Maintenance(options, isStopping: isStopping, observe: observe)
    builder = BatchBuilder(options)
    batchLimit = options.batchMessages
  }

  /// Works until it is told to stop or, with `drain`, until all is read and committed.
  ///
  /// - Returns: the fates of the messages that this worker committed.
  /// - Throws: `IngestionError`.
  public func run() throws(IngestionError) -> FateCounts {
    let observe = observe
    do {
      let consumer = try Consumer(
        options.consumerConfiguration(),
        observe: { observe(.kafka($0)) },
        rebalance: { [unowned self] consumer, change in rebalanced(consumer, change) }
      )
      committer.start()
      maintenance.start()
      let ending: Result<Void, IngestionError>
      do {
        try consumer.subscribe(options.topics)
        try work(consumer)
        ending = .success(())
      } catch let error as IngestionError {
        ending = .failure(error)
      } catch let error as KafkaError {
        ending = .failure(.kafka(error))
      }
      finish(consumer)
      try ending.get()
      return fates
    } catch let error as KafkaError {
      throw .kafka(error)
    } catch let error as IngestionError {
      throw error
    } catch {
      preconditionFailure("only the two kinds above are thrown: \(error)")
    }
  }

  // MARK: The loop

  private func work(_ consumer: Consumer) throws {
    while !isStopping() {
      if let result = committer.result(waiting: isFull && inHand != nil ? 100 : 0) {
        try handle(result, consumer)
      }
      claimIfNeeded(consumer)
      reportStateNowAndThen(consumer)
      let count = isFull ? try hold(consumer) : try read(consumer)
      if mustStartOver { startOver(consumer) }
      submitIfDue(moreIsWaiting: count > 0 && count == pollMessages, consumer)
      if options.drain, inHand == nil, builder.messages == 0, assignment.isDrained {
        if let reason = assignment.haltReason { throw IngestionError.halted(reason) }
        return
      }
    }
  }

  private let pollMessages = 1000

  private var isFull: Bool { builder.messages >= batchLimit || builder.isHeavy }

  /// Reads what is there; waits only when there is nothing else to do.
  private func read(_ consumer: Consumer) throws(KafkaError) -> Int {
    let now = clock?.estimate() ?? Timestamp(microseconds: 0)
    let timeout: Int32 = builder.messages > 0 ? 2 : inHand == nil ? 50 : 10
    let room = min(pollMessages, batchLimit - builder.messages)
    return try consumer.poll(maximum: room, timeout: timeout) { message in
      take(message, now: now)
    }
  }

  /// With the next batch full there is nothing to read; but rebalances come through the same queue as messages, and
  /// the group must not wait for as long as PostgreSQL may take. So if that is long, the partitions are paused, which
  /// drops what was fetched ahead, and polling goes on.
  private func hold(_ consumer: Consumer) throws(KafkaError) -> Int {
    guard inHand != nil, DatabaseClock.monotonicMicroseconds() - handedOver > 2_000_000 else { return 0 }
    if !isHeld {
      isHeld = true
      try? consumer.pause(readingPartitions)
    }
    try consumer.poll(maximum: 1, timeout: 0) {
      take($0, now: clock?.estimate() ?? Timestamp(microseconds: 0))
    }
    return 0
  }

  /// Reads on behind the last message that was taken.
  private func endHold(_ consumer: Consumer) {
    guard isHeld else { return }
    isHeld = false
    let positions = assignment.entries.filter { $0.standing == .reading }
      .map { ($0.key.topicPartition, offset: $0.next) }
    do {
      if !positions.isEmpty { try consumer.resume(positions, timeout: 2000) }
    } catch {
      observe(.brokerError(error))
      startOver(consumer)
    }
  }

  private var readingPartitions: [TopicPartition] {
    assignment.entries.filter { $0.standing == .reading }.map(\.key.topicPartition)
  }

  private func take(_ message: borrowing Message, now: Timestamp) {
    if let error = message.error {
      take(error, message)
      return
    }
    // Messages of a partition that is not being read were fetched before a pause or seek: they will come again.
    guard let index = assignment.index(for: message), assignment[index].standing == .reading,
      message.offset >= assignment[index].next, let clock, let epoch = assignment[index].epoch
    else { return }
    let key = assignment[index].key
    let part =
      assignment[index].part ?? builder.beginPart(key, epoch: epoch, base: assignment[index].next)
    assignment[index].part = part
    builder.add(
      message,
      to: part,
      floor: clock.floor,
      now: now,
      rejection: rejections.isEmpty ? nil : rejections.reason(key, offset: message.offset)
    )
    assignment[index].next = message.offset + 1
    assignment[index].reachedEnd = false
  }

  private func take(_ error: KafkaError, _ message: borrowing Message) {
    guard let index = assignment.index(for: message) else {
      observe(.brokerError(error))
      return
    }
    if error.isPartitionEnd {
      // The end of an older fetch may lie behind the position that was sought since.
      if assignment[index].standing == .reading, message.offset >= assignment[index].next {
        assignment[index].reachedEnd = true
      }
    } else if error.isOffsetOutOfRange {
      noteLostPosition(index)
    } else {
      observe(.brokerError(error))
    }
  }

  /// Kafka refuses an offset behind the end of the log; a broker that does not would let the partition be silent until
  /// its new log has grown past the old offset, and then go on in the middle of it. So two answers of the broker that
  /// both say so, over a while, are as good as a refusal; one alone may be old, or (Tansu) too small.
  private func checkEnd(_ index: Int, fetched end: Int64, now: Int64, _ consumer: Consumer) {
    let entry = assignment[index]
    guard entry.standing == .reading, end < entry.next else {
      assignment[index].beyondEndSince = nil
      return
    }
    guard let since = entry.beyondEndSince else {
      assignment[index].beyondEndSince = now
      return
    }
    guard now - since > 10_000_000,
      let asked = try? consumer.watermarks(of: entry.key.topicPartition, timeout: 500).high
    else { return }
    if asked < entry.next {
      haltBeyondLog(index)
    } else {
      assignment[index].beyondEndSince = nil
    }
  }

  private func haltBeyondLog(_ index: Int) {
    let reason =
      "the stored offset \(assignment[index].next) is not in the topic's log; was the topic created anew? "
      + "Check the topic, then delete the partition's row in ingest_offset to count it from its beginning"
    assignment[index].standing = .halted(reason)
    observe(.halted(assignment[index].key, reason: reason))
  }

  /// Kafka may have deleted the messages since the claim, which another claim records as a gap, to go on behind it.
  /// Where that claim finds the same offset again, the log ends before it: it is another log than the one that was
  /// counted, and the partition is halted.
  private func noteLostPosition(_ index: Int) {
    guard assignment[index].standing == .reading else { return }
    let offset = assignment[index].next
    if assignment[index].lostAt == offset {
      haltBeyondLog(index)
    } else {
      assignment[index].lostAt = offset
      mustStartOver = true
    }
  }

  /// Hands the batch over when the committer is free: at once when little is waiting, and full when much is.
  private func submitIfDue(moreIsWaiting: Bool, _ consumer: Consumer) {
    guard inHand == nil, builder.messages > 0, isFull || !moreIsWaiting else { return }
    for entry in assignment.entries {
      guard let part = entry.part, let log = consumer.cachedWatermarks(of: entry.key.topicPartition) else {
        continue
      }
      builder.setLogEnd(log.high, of: part)
    }
    let messages = builder.messages
    let batch = builder.seal()
    assignment.endParts()
    let ends = Dictionary(batch.parts.map { ($0.key, $0.next) }) { max($0, $1) }
    inHand = .commit(messages: messages, ends: ends)
    handedOver = DatabaseClock.monotonicMicroseconds()
    committer.submit(.commit(batch))
  }

  // MARK: Results

  private func handle(_ result: CommitterResult, _ consumer: Consumer) throws {
    let job = inHand
    inHand = nil
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
    case .committed(let report):
      clock = DatabaseClock(report.bounds)
      batchLimit = min(batchLimit * 2, options.batchMessages)
      note(report, consumer)
      endHold(consumer)
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
    if case .commit(let messages, let ends) = job, error.isDataFault {
      try narrowDown(error, messages: messages, ends: ends)
    } else if error.isWorthRetrying {
      observe(.retrying(error, afterMilliseconds: wait))
      // A batch that takes longer than a statement may will not get through by trying again.
      if case .commit(let messages, _) = job, error.sqlState == .queryCanceled {
        batchLimit = max(1, messages / 2)
      }
    } else {
      throw IngestionError.database(error)
    }
    startOver(consumer)
  }

  /// Messages are validated before any SQL, so this is rare: halve the batches until the one message that the
  /// database refuses is alone in one, then make it a dead letter.
  private func narrowDown(_ error: PostgresError, messages: Int, ends: [PartitionKey: Int64]) throws {
    rejections.suspect(ends)
    guard messages == 1, let (key, end) = ends.first else {
      batchLimit = max(1, messages / 2)
      return
    }
    let code = error.sqlState?.rawValue ?? "unknown"
    rejections.add(key, offset: end - 1, reason: "database_rejected_\(code)")
    observe(.rejected(key, offset: end - 1, error))
    if rejections.areTooMany { throw IngestionError.tooManyRejected(error) }
  }

  private func note(_ report: BatchReport, _ consumer: Consumer) {
    fates += report.fates
    for part in report.parts {
      progress[part.key] = part.next
      committed[part.key] = part.next
    }
    rejections.noteCommit(report)
    observe(.committed(report))
    let now = DatabaseClock.monotonicMicroseconds()
    guard now - reportedToKafka > 1_000_000 else { return }
    reportedToKafka = now
    reportProgress(consumer)
  }

  /// Tells Kafka's group how far the counts are. It only feeds lag tools: no worker starts from it.
  private func reportProgress(_ consumer: Consumer) {
    let positions = progress.map { ($0.key.topicPartition, nextOffset: $0.value) }
    progress.removeAll()
    if !positions.isEmpty { try? consumer.commit(positions) }
  }

  private func reportStateNowAndThen(_ consumer: Consumer) {
    let now = DatabaseClock.monotonicMicroseconds()
    guard now - stateReported > 1_000_000 else { return }
    stateReported = now
    var lag: [PartitionKey: Int64] = [:]
    for (index, entry) in assignment.entries.enumerated() {
      guard let next = committed[entry.key],
        let end = consumer.cachedWatermarks(of: entry.key.topicPartition)?.high
      else { continue }
      lag[entry.key] = max(0, end - next)
      checkEnd(index, fetched: end, now: now, consumer)
    }
    observe(.lag(lag))
    observe(.remembered(builder.remembered))
  }

  // MARK: Claims and rebalances

  /// Forgets all that is not committed; every partition waits for its position.
  private func startOver(_ consumer: Consumer) {
    mustStartOver = false
    isHeld = false
    builder.reset()
    let reading = readingPartitions
    if !reading.isEmpty { try? consumer.pause(reading) }
    assignment.startOver()
  }

  private func claimIfNeeded(_ consumer: Consumer) {
    assignment.reconsiderFenced()
    guard inHand == nil, assignment.hasUnclaimed else { return }
    var requests: [ClaimRequest] = []
    for (index, entry) in assignment.entries.enumerated() where assignment.isDue(index) {
      // Each question may take its time: a stop must not wait for all of them.
      guard !isStopping() else { return }
      do {
        let low = try consumer.watermarks(of: entry.key.topicPartition, timeout: 500).low
        requests.append(
          ClaimRequest(key: entry.key, heldEpoch: entry.epoch, mayTake: entry.mayTake, lowWatermark: low)
        )
      } catch {
        // The others do not wait for a partition whose leader is away.
        observe(.brokerError(error))
        assignment.postpone(index, milliseconds: 1000)
      }
    }
    guard !requests.isEmpty else { return }
    inHand = .claim(keys: Set(requests.map(\.key)), version: assignment.version)
    handedOver = DatabaseClock.monotonicMicroseconds()
    committer.submit(.claim(requests))
  }

  private func begin(_ claims: [PartitionClaim], asked: Set<PartitionKey>, _ consumer: Consumer) {
    let refused = asked.subtracting(claims.map(\.key)).sorted()
    for claim in claims { remember(claim) }
    do {
      let positions = claims.map { ($0.key.topicPartition, offset: $0.nextOffset) }
      if !positions.isEmpty { try consumer.resume(positions, timeout: 2000) }
    } catch {
      // Just assigned, or the broker is away: the partitions stay unclaimed and are asked for again.
      observe(.brokerError(error))
      for claim in claims {
        if let index = assignment.index(of: claim.key) { assignment.postpone(index, milliseconds: 100) }
      }
      return
    }
    for claim in claims {
      guard let index = assignment.index(of: claim.key) else { continue }
      assignment[index].next = claim.nextOffset
      committed[claim.key] = claim.nextOffset
      assignment[index].reachedEnd = false
      assignment[index].standing = .reading
    }
    for key in refused {
      if let index = assignment.index(of: key) {
        assignment[index].standing = .fenced(since: DatabaseClock.monotonicMicroseconds())
      }
    }
    if !refused.isEmpty { observe(.fenced(refused)) }
    observe(.claimed(claims))
  }

  private func remember(_ claim: PartitionClaim) {
    guard let index = assignment.index(of: claim.key) else { return }
    if assignment[index].epoch != claim.epoch { assignment[index].mayTake = assignment[index].epoch == nil }
    assignment[index].epoch = claim.epoch
  }

  /// Runs on the polling thread, inside `poll`: it must not block for long, or the group waits.
  private func rebalanced(_ consumer: Consumer, _ change: Rebalance) {
    switch change {
    case .assigned(let partitions):
      observe(.assigned(partitions.map(PartitionKey.init)))
      startOver(consumer)
      assignment.add(partitions.map(PartitionKey.init))
      do {
        // Paused until the claim says where to begin: PostgreSQL may be away, and the group must not wait for it.
        try consumer.assign(partitions.map { ($0, offset: 0) }, paused: true)
      } catch {
        observe(.brokerError(error))
      }
    case .revoked(let partitions):
      giveUp(partitions, lost: false, consumer)
    case .lost(let partitions):
      giveUp(partitions, lost: true, consumer)
    }
  }

  private func giveUp(_ partitions: [TopicPartition], lost: Bool, _ consumer: Consumer) {
    let keys = partitions.map(PartitionKey.init)
    observe(.revoked(keys, lost: lost))
    // Let the transaction in flight end, so that the next owner need not read it again. If it takes too long, the
    // next owner's claim decides: either it waits for the commit, or the commit finds a newer epoch.
    if !lost, case .commit = inHand, let result = committer.result(waiting: 2000) {
      inHand = nil
      switch result {
      case .committed(let report): note(report, consumer)
      case .failed(let error, let wait): observe(.retrying(error, afterMilliseconds: wait))
      case .claimed, .fenced, .outdated: break
      }
    }
    reportProgress(consumer)
    startOver(consumer)
    assignment.remove(keys)
    for key in keys {
      committed[key] = nil
      rejections.forget(key)
    }
    do {
      try consumer.unassign(partitions)
    } catch {
      observe(.brokerError(error))
    }
  }

  // MARK: The end

  /// Within 10 s, whoever is away: the batch in hand is given time to end, what is not handed over is read again by
  /// the next worker, and the group is left.
  private func finish(_ consumer: Consumer) {
    if case .commit = inHand, let result = committer.result(waiting: 4000) {
      inHand = nil
      if case .committed(let report) = result { note(report, consumer) }
    }
    reportProgress(consumer)
    consumer.close(timeout: 3000)
    _ = committer.stop(waiting: 1000)
    _ = maintenance.stop(waiting: 1000)
    observe(.stopped(fates))
  }
}
