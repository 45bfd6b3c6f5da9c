import CountStore
import Counting
import Kafka
import Threading
import Postgres

/// Reads detections from Kafka and counts each exactly once in PostgreSQL.
///
/// The calling thread polls, decodes and fills the next batch while the `Committer`'s thread commits the last one.
/// Whatever fails, recovery is one thing: forget what is not committed, ask PostgreSQL where each partition goes on
/// (`claim`), seek there, and read again.
public final class IngestionWorker {
  let options: IngestionOptions
  let isStopping: @Sendable () -> Bool
  let observe: @Sendable (IngestionObservation) -> Void
  let committer: Committer
  private let maintenance: Maintenance
  /// The newest time that a broker has put on a message, for the background work.
  private let brokerTime: NewestBrokerTime
  private let heartbeat: Heartbeat
  let brokers: BrokerWatch
  var lags = LagTracker()

  var builder: BatchBuilder
  var assignment = Assignment()
  var clock: DatabaseClock?
  /// The job that the committer has in hand.
  var inHand: InHand? {
    didSet { jobSince = .now }
  }
  /// A full batch that waits for the committer, while the one behind it is filled.
  var ready: SealedBatch?
  var rejections = Rejections()
  var lastRefusal: PostgresError?
  var batchLimit: Int
  var progress = Progress()
  var stateReported = MonotonicInstant.distantPast
  /// Since when the batch in hand holds up a full one, on the monotonic clock (µs).
  private var fullSince: MonotonicInstant?
  var isHolding = false
  /// Spent on the messages of the batch that is being filled, in microseconds.
  var readingTime: Int64 = 0

  /// When the committer last answered, on the monotonic clock (µs).
  var answeredAt = MonotonicInstant.now()

  /// Since when the committer has had the job in hand.
  var jobSince = ContinuousClock.now
  /// When PostgreSQL did last what it was asked.
  var databaseAnsweredAt: ContinuousClock.Instant?

  /// A partition could not be read on during the last poll.
  var needsPositions = false
  /// librdkafka has given a partition up.
  var needsRestart = false
  /// In a row.
  var failedSeeks = 0

  enum InHand {
    case claim(keys: Set<PartitionKey>, version: Int)
    case check
    /// `ends` are the offsets behind the batch's parts, `last` is where its last message was.
    case commit(messages: Int, ends: [PartitionKey: Int64], last: LastMessage, times: PhaseTimes)
  }

  typealias LastMessage = (key: PartitionKey, offset: Int64)

  struct SealedBatch {
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
    let state = WorkerState()
    let observe: @Sendable (IngestionObservation) -> Void = {
      state.record($0)
      observe($0)
    }
    self.options = options
    self.isStopping = isStopping
    self.observe = observe
    heartbeat = Heartbeat(options, state: { state.heartbeat() }, observe: observe)
    brokers = BrokerWatch(observe: observe)
    committer = Committer(options, observe: observe)
    let brokerTime = NewestBrokerTime()
    self.brokerTime = brokerTime
    maintenance = Maintenance(
      options,
      clocks: WorkerClocks(broker: { brokerTime.value }),
      isStopping: isStopping,
      observe: observe
    )
    builder = BatchBuilder(options)
    batchLimit = options.batchMessages
  }

  /// Works until `stop` or, with `drain`, until all is read and committed.
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
      heartbeat.start()
      brokers.start(handle)
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
      return progress.fates
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
    // The committer's response ends the wait. What can be handed over at once is not held up by it.
    let timeout: Int32 = inHand == nil && builder.messages > 0 && !builder.isUnproven ? 0 : 50
    let room = max(1, min(pollMessages, batchLimit - builder.messages))
    var began: MonotonicInstant?
    var appended: Int64?
    let count = try consumer.poll(maximum: room, timeout: timeout) { message in
      // Not from before: the time without messages belongs to no batch.
      if began == nil { began = .now() }
      if let time = message.logAppendTime { appended = max(time, appended ?? time) }
      take(message, now: now)
    }
    if let appended { brokerTime.record(milliseconds: appended) }
    builder.resolveArrivals()
    if let began { readingTime += began.elapsed.microseconds }
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
        assignment.recordEnd(index, at: message.offset)
      } else if assignment[index].shortfall == .probed {
        halt(index, Self.shorterLog(position: assignment[index].next, end: message.offset))
      }
    } else if error.isOffsetOutOfRange || error.concernsMessages {
      observe(.brokerError(error))
      guard assignment[index].standing == .reading else { return }
      assignment.recordTrouble(index, isOutOfRange: error.isOffsetOutOfRange, reason: "\(error)")
      needsPositions = true
      if error.isOffsetOutOfRange { needsRestart = true }
    } else {
      observe(.brokerError(error))
    }
  }

  /// Where the log ends before a position that was read once, nothing can be trusted: the offsets of the new messages
  /// would be taken for those of the old ones.
  static func shorterLog(position: Int64, end: Int64) -> String {
    "everything below offset \(position) is accounted for, but the topic's log ends at \(end): was the topic created "
      + "again? Check it; to count it from its beginning, stop the workers and see 'topitems topics forget'"
  }

  func halt(_ index: Int, _ reason: String) {
    assignment[index].standing = .halted(reason)
    observe(.halted(assignment[index].key, reason: reason))
  }

  /// A partition failed: restarts all from the stored offsets.
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
    let now = MonotonicInstant.now()
    guard isFull else {
      fullSince = nil
      if isHolding { release(consumer) }
      return
    }
    let since = fullSince ?? now
    fullSince = since
    guard !isHolding, now.elapsed(since: since) > .seconds(1) else { return }
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
      answeredAt.elapsed > .seconds(5)
    else { return }
    let positions = assignment.reading.compactMap { entry in
      entry.epoch.map { PartitionClaim(key: entry.key, epoch: $0, nextOffset: entry.next) }
    }
    guard !positions.isEmpty else { return }
    inHand = .check
    committer.submit(.check(positions))
  }

  // MARK: Progress

  func record(_ report: BatchReport) {
    progress.record(report)
    rejections.recordCommit(report)
    observe(.committed(report))
  }

  /// Commits the positions to Kafka's group. This only feeds lag tools: no worker starts from them.
  func reportProgress(_ consumer: Consumer) {
    let positions = progress.takeUnreported().map { ($0.key.topicPartition, nextOffset: $0.value) }
    if !positions.isEmpty { try? consumer.commit(positions) }
  }

  // MARK: The end

  /// Within 10 s, whatever is unreachable: the batch in flight gets time to end, what is not handed over is read
  /// again by the next worker, and the group is left.
  private func finish(_ consumer: Consumer) {
    brokers.stop()
    if case .commit = inHand, let result = committer.result(waiting: 4000) {
      inHand = nil
      if case .committed(let report) = result { record(report) }
    }
    reportProgress(consumer)
    // Nothing more is counted.
    heartbeat.stop()
    consumer.close(timeout: 3000)
    _ = committer.stop(waiting: 1000)
    _ = maintenance.stop(waiting: 1000)
    _ = heartbeat.hasEnded(waiting: 500)
    observe(.stopped(progress.fates))
  }
}
