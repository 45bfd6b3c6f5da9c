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
  /// `--drain` came to an end, and the database has taken nothing that would show that the fault is not its own.
  case nothingAccepted(PostgresError)
  /// `--drain` came to an end, but these partitions had been stopped.
  case halted(String)

  /// What happened, for an operator.
  public var description: String {
    switch self {
    case .kafka(let error): "Kafka ended this worker: \(error)"
    case .database(let error): "PostgreSQL refuses the batch, which is rolled back: \(error)"
    case .tooManyRejected(let error):
      "PostgreSQL refuses more than 10 messages of a batch; the last time: \(error)"
    case .nothingAccepted(let error):
      "PostgreSQL refuses all that is left to read, so that the fault may be its own: \(error)"
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
  /// A full batch that waits for the committer, while the one behind it is filled.
  private var ready: SealedBatch?
  private var rejections = Rejections()
  private var lastRefusal: PostgresError?
  private var batchLimit: Int
  private var fates = FateCounts()
  private var progress: [PartitionKey: Int64] = [:]
  private var committed: [PartitionKey: Int64] = [:]
  private var stateReported: Int64 = 0
  /// Since when the batch in hand holds up a full one, on the monotonic clock (µs).
  private var fullSince: Int64?
  private var isHolding = false
  /// Spent on the messages of the batch that is being filled, in microseconds.
  private var readingTime: Int64 = 0

  /// When the committer last answered, on the monotonic clock (µs).
  private var answeredAt = DatabaseClock.monotonicMicroseconds()

  /// A partition could not be read on during the last poll.
  private var needsPositions = false
  /// librdkafka has given a partition up.
  private var needsRestart = false
  /// In a row.
  private var failedSeeks = 0

  private enum InHand {
    case claim(keys: Set<PartitionKey>, version: Int)
    case check
    /// `ends` are the offsets behind the batch's parts, `last` is where its last message was.
    case commit(messages: Int, ends: [PartitionKey: Int64], last: LastMessage, times: PhaseTimes)
  }

  private typealias LastMessage = (key: PartitionKey, offset: Int64)

  private struct SealedBatch {
    var batch: Batch
    var messages: Int
    var last: LastMessage
    var times: PhaseTimes
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
      let handle = consumer.handle
      committer.start { handle.wake() }
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
      try holdWhileFull(consumer)
      let count = isFull && !isHolding ? 0 : try read(consumer)
      recoverPositions(consumer)
      submitIfDue(moreIsWaiting: count > 0 && count == pollMessages, consumer)
      checkIfIdle()
      if options.drain, inHand == nil, ready == nil, builder.messages == 0, assignment.isDrained {
        if let reason = assignment.haltReason { throw IngestionError.halted(reason) }
        return
      }
      if options.drain, inHand == nil, builder.isUnproven, assignment.isDrained, let error = lastRefusal {
        throw IngestionError.nothingAccepted(error)
      }
    }
  }

  private let pollMessages = 1000

  /// No more can be taken before a batch is handed over.
  private var isFull: Bool { ready != nil && isBatchFull }

  private var isBatchFull: Bool {
    builder.messages >= (builder.isUnproven ? options.batchMessages : batchLimit) || builder.isHeavy
  }

  /// Reads what is there; waits only when there is nothing else to do.
  private func read(_ consumer: Consumer) throws(KafkaError) -> Int {
    let now = clock?.estimate() ?? Timestamp(microseconds: 0)
    // The committer's answer ends the wait. What can be handed over at once is not held up by it.
    let timeout: Int32 = inHand == nil && builder.messages > 0 && !builder.isUnproven ? 0 : 50
    let room = max(1, min(pollMessages, batchLimit - builder.messages))
    var began: Int64?
    let count = try consumer.poll(maximum: room, timeout: timeout) { message in
      // Not from before: the time in which nothing came is nobody's.
      if began == nil { began = DatabaseClock.monotonicMicroseconds() }
      take(message, now: now)
    }
    if let began { readingTime += DatabaseClock.monotonicMicroseconds() - began }
    return count
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
    if let trouble = assignment[index].trouble, message.offset >= trouble.offset {
      assignment[index].trouble = nil
    }
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
      guard assignment[index].standing == .reading else { return }
      if message.offset >= assignment[index].next {
        assignment.noteEnd(index, at: message.offset)
      } else if assignment[index].shortfall == .probed {
        halt(index, Self.shorterLog(position: assignment[index].next, end: message.offset))
      }
    } else if error.isOffsetOutOfRange || error.concernsMessages {
      observe(.brokerError(error))
      guard assignment[index].standing == .reading else { return }
      assignment.noteTrouble(index, isOutOfRange: error.isOffsetOutOfRange, reason: "\(error)")
      needsPositions = true
      if error.isOffsetOutOfRange { needsRestart = true }
    } else {
      observe(.brokerError(error))
    }
  }

  /// Where the log ends before a position that was read once, nothing can be trusted: the offsets of the new messages
  /// would be taken for those of the old ones.
  private static func shorterLog(position: Int64, end: Int64) -> String {
    "everything below offset \(position) is accounted for, but the topic's log ends at \(end): was the topic created "
      + "anew? Check it, then delete the partition's row in ingest_offset to count it from its beginning"
  }

  private func halt(_ index: Int, _ reason: String) {
    assignment[index].standing = .halted(reason)
    observe(.halted(assignment[index].key, reason: reason))
  }

  /// After a poll that could not read on somewhere: begins anew from what is stored.
  private func recoverPositions(_ consumer: Consumer) {
    guard needsPositions else { return }
    needsPositions = false
    startOver(consumer)
    guard needsRestart else { return }
    needsRestart = false
    do {
      try consumer.restartPaused()
    } catch {
      observe(.brokerError(error))
    }
  }

  /// While the next batch is full and the last one does not end, nothing more can be taken; but Kafka must go on
  /// hearing from this member, or it gives its partitions away and makes the others wait.
  private func holdWhileFull(_ consumer: Consumer) throws {
    let now = DatabaseClock.monotonicMicroseconds()
    guard isFull else {
      fullSince = nil
      if isHolding { release(consumer) }
      return
    }
    let since = fullSince ?? now
    fullSince = since
    guard !isHolding, now - since > 1_000_000 else { return }
    try? consumer.pause(assignment.reading.map(\.key.topicPartition))
    isHolding = true
  }

  private func release(_ consumer: Consumer) {
    isHolding = false
    let positions = assignment.reading.map { ($0.key.topicPartition, offset: $0.next) }
    guard !positions.isEmpty else { return }
    do {
      try consumer.resume(positions, timeout: 2000)
    } catch {
      observe(.brokerError(error))
      startOver(consumer)
    }
  }

  /// Hands a batch over when the committer is free: at once when little is waiting, and full when much is. A full one
  /// is made ready while the committer is busy, so that the database does not wait for the sorting.
  private func submitIfDue(moreIsWaiting: Bool, _ consumer: Consumer) {
    if ready == nil, let last = builder.last,
      isBatchFull || (inHand == nil && !moreIsWaiting && !builder.isUnproven)
    {
      ready = seal(last: last, consumer)
    }
    guard inHand == nil, let next = ready else { return }
    ready = nil
    let ends = Dictionary(next.batch.parts.map { ($0.key, $0.next) }) { max($0, $1) }
    inHand = .commit(messages: next.messages, ends: ends, last: next.last, times: next.times)
    committer.submit(.commit(next.batch))
  }

  private func seal(last: (part: Int32, offset: Int64), _ consumer: Consumer) -> SealedBatch {
    for entry in assignment.entries {
      guard let part = entry.part, let log = consumer.cachedWatermarks(of: entry.key.topicPartition) else {
        continue
      }
      builder.setLogEnd(log.high, of: part)
    }
    let messages = builder.messages
    var times = PhaseTimes()
    let batch = builder.seal()
    times.end(.sort)
    times.add(.decode, microseconds: readingTime)
    readingTime = 0
    assignment.endParts()
    let lastPlace = (key: batch.parts[Int(last.part)].key, offset: last.offset)
    return SealedBatch(batch: batch, messages: messages, last: lastPlace, times: times)
  }

  /// A crash or failover of PostgreSQL may lose what was committed: without a batch that would meet it, the counts
  /// would stay behind until the next event.
  private func checkIfIdle() {
    guard inHand == nil, ready == nil, builder.messages == 0,
      DatabaseClock.monotonicMicroseconds() - answeredAt > 5_000_000
    else { return }
    let positions = assignment.reading.compactMap { entry in
      entry.epoch.map { PartitionClaim(key: entry.key, epoch: $0, nextOffset: entry.next) }
    }
    guard !positions.isEmpty else { return }
    inHand = .check
    committer.submit(.check(positions))
  }

  // MARK: Results

  private func handle(_ result: CommitterResult, _ consumer: Consumer) throws {
    let job = inHand
    inHand = nil
    answeredAt = DatabaseClock.monotonicMicroseconds()
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
      note(report)
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
    if case .commit(let messages, let ends, let last, _) = job, error.isDataFault {
      rejections.suspect(ends)
      try narrowDown(error, messages: messages, last: last)
    } else if error.isWorthRetrying {
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

  private func note(_ report: BatchReport) {
    fates += report.fates
    for part in report.parts {
      progress[part.key] = part.next
      committed[part.key] = part.next
    }
    rejections.noteCommit(report)
    observe(.committed(report))
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
    for entry in assignment.entries {
      guard let next = committed[entry.key],
        let end = consumer.cachedWatermarks(of: entry.key.topicPartition)?.high
      else { continue }
      lag[entry.key] = max(0, end - next)
    }
    probeShortLogs(consumer, now: now)
    reportProgress(consumer)
    observe(.lag(lag))
    observe(.remembered(builder.remembered))
  }

  private func probeShortLogs(_ consumer: Consumer, now: Int64) {
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

  // MARK: Claims and rebalances

  /// Forgets all that is not committed; every partition waits for its position.
  private func startOver(_ consumer: Consumer) {
    committer.withdrawClaim()
    builder.reset()
    ready = nil
    readingTime = 0
    isHolding = false
    // Halted ones too: nothing of them is wanted any more.
    let all = assignment.entries.map(\.key.topicPartition)
    if !all.isEmpty { try? consumer.pause(all) }
    assignment.startOver()
  }

  private func claimIfNeeded(_ consumer: Consumer) {
    assignment.reconsiderFenced()
    guard inHand == nil, assignment.hasUnclaimed else { return }
    var requests: [ClaimRequest] = []
    let began = DatabaseClock.monotonicMicroseconds()
    for (index, entry) in assignment.entries.enumerated() where assignment.isDue(index) {
      // Each question may take its time. Neither a stop must wait for all of them, nor the partitions that can be read,
      // nor Kafka, which hears from this member only when it polls: those that are left are for the next turn.
      guard !isStopping() else { return }
      guard DatabaseClock.monotonicMicroseconds() - began < 300_000 else { break }
      do {
        var (low, high) = try consumer.watermarks(of: entry.key.topicPartition, timeout: 2000)
        let isOutOfRange = entry.trouble?.isOutOfRange == true
        if entry.epoch == nil || isOutOfRange {
          // Reading may begin at this offset: it is asked for twice, as one answer may be the log's end instead (see
          // `ClaimRequest.gapIsCertain`).
          low = min(low, try consumer.watermarks(of: entry.key.topicPartition, timeout: 2000).low)
        }
        assignment[index].logEnd = high
        assignment.noteAnswer(index)
        requests.append(
          ClaimRequest(
            key: entry.key,
            heldEpoch: entry.epoch,
            mayTake: entry.mayTake,
            lowWatermark: low,
            gapIsCertain: isOutOfRange,
            passesGap: options.onGap == .continue
          )
        )
      } catch {
        observe(.brokerError(error))
        assignment.noteSilence(index)
        break
      }
    }
    guard !requests.isEmpty else { return }
    inHand = .claim(keys: Set(requests.map(\.key)), version: assignment.version)
    committer.submit(.claim(requests))
  }

  private func begin(_ claims: [PartitionClaim], asked: Set<PartitionKey>, _ consumer: Consumer) {
    for claim in claims { remember(claim) }
    let claims = claims.filter { !haltIfHopeless($0) }
    do {
      let positions = claims.map { ($0.key.topicPartition, offset: $0.nextOffset) }
      if !positions.isEmpty { try consumer.resume(positions, timeout: 2000) }
      failedSeeks = 0
    } catch {
      // Just assigned, or the broker is away: the partitions stay unclaimed and are asked for again.
      observe(.brokerError(error))
      failedSeeks += 1
      if failedSeeks >= 3 {
        // Or librdkafka has given a partition up before it was claimed: its log begins behind the offset that it
        // was assigned at.
        failedSeeks = 0
        needsPositions = true
        needsRestart = true
      }
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
    let refused = asked.filter { key in
      assignment.index(of: key).map { assignment[$0].standing == .unclaimed } ?? false
    }.sorted()
    for key in refused {
      if let index = assignment.index(of: key) {
        assignment[index].standing = .fenced(since: DatabaseClock.monotonicMicroseconds())
      }
    }
    if !refused.isEmpty { observe(.fenced(refused)) }
    observe(.claimed(claims))
  }

  /// Stops a partition that would only fail again where it is to be read now.
  private func haltIfHopeless(_ claim: PartitionClaim) -> Bool {
    guard let index = assignment.index(of: claim.key) else { return false }
    if let gap = claim.gap, claim.nextOffset < gap.upperBound {
      remember(claim)
      halt(
        index,
        "Kafka has deleted offsets \(gap.lowerBound) to \(gap.upperBound - 1) before they were counted. To record the "
          + "loss and go on behind them, start the worker with --on-gap continue"
      )
      return true
    }
    guard let trouble = assignment[index].trouble else { return false }
    if trouble.isOutOfRange, claim.nextOffset > assignment[index].logEnd {
      remember(claim)
      halt(index, Self.shorterLog(position: claim.nextOffset, end: assignment[index].logEnd))
      return true
    }
    if trouble.isOutOfRange, claim.gap != nil { assignment[index].trouble = nil }
    guard trouble.failures >= Assignment.Trouble.patience, claim.gap == nil else { return false }
    remember(claim)
    halt(
      index,
      "what is at offset \(trouble.offset) cannot be read, tried \(trouble.failures) times: \(trouble.reason)"
    )
    return true
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
      case .committed(let report): note(report)
      case .failed(let error, let wait): observe(.retrying(error, afterMilliseconds: wait))
      case .claimed, .unmoved, .fenced, .outdated: break
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
      if case .committed(let report) = result { note(report) }
    }
    reportProgress(consumer)
    consumer.close(timeout: 3000)
    _ = committer.stop(waiting: 1000)
    _ = maintenance.stop(waiting: 1000)
    observe(.stopped(fates))
  }
}
