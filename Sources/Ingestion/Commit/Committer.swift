import CountStore
import Counting
import Glibc
import Threading
import Postgres
import Synchronization

/// What the reading thread asks of the committing one, one at a time.
enum CommitterJob: Sendable {
  /// Find out where these partitions go on, however often that takes.
  case claim([ClaimRequest])
  /// Try once to write a batch.
  case commit(Batch)
  /// See whether these positions are still the stored ones.
  case check([PartitionClaim])
}

/// What became of a job.
enum CommitterResult: Sendable {
  case claimed([PartitionClaim], EventTimeBounds)
  case committed(BatchReport)
  /// The positions that were checked are the stored ones.
  case unmoved
  /// The stored position is not the one that the batch builds on.
  case fenced([PartitionKey])
  /// The batch was built on a floor, or on ids of items, that no longer hold: it must be read again. Or the claim was
  /// withdrawn before it was granted.
  case outdated
  /// `retryingAfter` milliseconds the next claim goes to the database.
  case failed(PostgresError, retryingAfter: Int64)
}

/// The thread that owns the connection to PostgreSQL: it commits one batch while the next one is read.
///
/// - Note: `@unchecked Sendable`: `store`, `connection`, `itemIDs` and the like are touched only by the thread that
///   `start` makes; the mailboxes are the only way in and out.
final class Committer: @unchecked Sendable {
  private let jobs = Mailbox<CommitterJob>()
  private let results = Mailbox<CommitterResult>()
  private let isClaimWithdrawn = Atomic(false)
  private let isAnswering = Atomic(false)
  private let options: IngestionOptions
  private let observe: @Sendable (IngestionObservation) -> Void
  private let ended = Mailbox<Bool>()
  private var wake: @Sendable () -> Void = {}

  private var connection: Connection?
  private var batchBackoff = Backoff()
  /// Whether a claim has failed since one was granted: the next one then looks for blocking sessions.
  private var hasClaimFailed = false
  private var path = PathChoice()
  /// The stored id of each index of the builder's dictionary, for the generation that they belong to.
  private var itemIDs: [Int64] = []
  private var itemGeneration = -1
  /// The end of the time that there are partitions for, as far as is known here.
  private var coveredUntil = Timestamp(microseconds: .min)

  init(_ options: IngestionOptions, observe: @escaping @Sendable (IngestionObservation) -> Void) {
    self.options = options
    self.observe = observe
  }

  // MARK: The reading thread's side

  /// - Parameter wake: called when there is a result.
  func start(wake: @escaping @Sendable () -> Void) {
    self.wake = wake
    requireThread(name: "committer") { [self] in work() }
  }

  func submit(_ job: CommitterJob) {
    isClaimWithdrawn.store(false, ordering: .relaxed)
    jobs.put(job)
  }

  /// A claim that still waits for PostgreSQL is tried no more: its partitions may be another worker's by now.
  func withdrawClaim() { isClaimWithdrawn.store(true, ordering: .relaxed) }

  /// Whether a job is being done, which is waiting for PostgreSQL for the most part.
  var isAtDatabase: Bool { isAnswering.load(ordering: .relaxed) }

  /// The result of the job in hand, if it comes in time.
  func result(waiting milliseconds: Int64) -> CommitterResult? { results.take(waiting: milliseconds) }

  /// Ends the thread after the job in hand.
  /// - Returns: whether it ended in time; what it had not committed then, PostgreSQL rolls back.
  func stop(waiting milliseconds: Int64) -> Bool {
    jobs.close()
    return ended.take(waiting: milliseconds) != nil
  }

  // MARK: The committing thread's side

  private func work() {
    while let job = jobs.take(waiting: nil) {
      isAnswering.store(true, ordering: .relaxed)
      let answer = answer(job)
      isAnswering.store(false, ordering: .relaxed)
      guard let result = answer else { continue }
      results.put(result)
      wake()
    }
    connection?.close()
    ended.put(true)
  }

  private func answer(_ job: CommitterJob) -> CommitterResult? {
    switch job {
    case .claim(let requests): claim(requests)
    case .commit(let batch): commit(batch)
    case .check(let positions): check(positions)
    }
  }

  /// Tries until it succeeds, fails for good, is withdrawn, or the worker stops (nil).
  private func claim(_ requests: [ClaimRequest]) -> CommitterResult? {
    // A claim may get through where no batch does (a full disk): then it is the batches' failures that make it wait.
    if let wait = batchBackoff.current { jobs.sleep(milliseconds: wait) }
    var backoff = Backoff()
    while !jobs.hasClosed {
      do {
        let store = try store()
        let watch = hasClaimFailed ? connection.map { watchBlockers(of: $0) } : nil
        defer { watch?.stop() }
        if isClaimWithdrawn.load(ordering: .relaxed) { return .outdated }
        let horizon = try store.settleRetention(options.retention).dedupHorizon
        let granted = try store.claim(requests, dedupHorizonSeconds: horizon)
        hasClaimFailed = false
        return .claimed(granted.claims, granted.bounds)
      } catch {
        if !error.remedy.isTransient { return .failed(error, retryingAfter: 0) }
        dropUnusableConnection()
        hasClaimFailed = true
        let milliseconds = backoff.next()
        observe(.retrying(error, afterMilliseconds: milliseconds))
        jobs.sleep(milliseconds: milliseconds)
      }
    }
    return nil
  }

  private func watchBlockers(of connection: Connection) -> BlockerWatch {
    BlockerWatch(options.database, blocking: connection.backendPid, observe: observe)
  }

  private func commit(_ batch: Batch) -> CommitterResult {
    var times = PhaseTimes()
    let began = MonotonicInstant.now()
    do {
      let store = try store()
      guard try intern(batch, in: store) else { return .outdated }
      try coverWindows(of: batch, in: store)
      times.end(.items)
      let outcome = try store.apply(batch, itemIDs: itemIDs, path: path.next)
      switch outcome {
      case .committed(let applied):
        times.merge(applied.times)
        let report = BatchReport(
          revision: applied.revision,
          parts: applied.parts,
          bounds: applied.bounds,
          microseconds: began.elapsed.microseconds,
          times: times,
          usedCarefulPath: applied.usedCarefulPath
        )
        batchBackoff = Backoff()
        path.learn(from: report, detections: batch.detections.count)
        return .committed(report)
      case .fenced(let keys): return .fenced(keys)
      case .floorMoved:
        // Partitions may have been dropped and made again since they were last looked at.
        coveredUntil = Timestamp(microseconds: .min)
        return .outdated
      }
    } catch {
      dropUnusableConnection()
      // What is at fault is searched for by smaller batches, which need not wait.
      return .failed(error, retryingAfter: error.remedy == .refuseMessage ? 0 : batchBackoff.next())
    }
  }

  private func check(_ positions: [PartitionClaim]) -> CommitterResult {
    do {
      let moved = try store().moved(positions)
      return moved.isEmpty ? .unmoved : .fenced(moved)
    } catch {
      dropUnusableConnection()
      return .failed(error, retryingAfter: 0)
    }
  }

  /// Learns the ids of the batch's new items.
  /// - Returns: false when the ids of its older ones are not known here: they were another connection's.
  private func intern(_ batch: Batch, in store: CountStore) throws(PostgresError) -> Bool {
    if batch.itemGeneration != itemGeneration {
      guard batch.startsGeneration else { return false }
      itemIDs.removeAll(keepingCapacity: true)
      itemGeneration = batch.itemGeneration
    }
    if !batch.newItems.isEmpty {
      // A batch's new items are the dictionary's next indexes, in order.
      itemIDs += try store.internItems(batch.newItems.map(\.name))
    }
    return true
  }

  private func store() throws(PostgresError) -> CountStore {
    if let connection, connection.isUsable { return CountStore(connection) }
    connection?.close()
    connection = nil
    // After a failover an id may mean another name: what was learnt on one connection is forgotten with it.
    itemGeneration = -1
    let fresh = try Connection(options.database)
    connection = fresh
    return CountStore(fresh)
  }

  private func dropUnusableConnection() {
    guard let connection, !connection.isUsable else { return }
    connection.close()
    self.connection = nil
  }

  /// Makes the partitions that the batch's counts need, should the background work have failed to for days.
  private func coverWindows(of batch: Batch, in store: CountStore) throws(PostgresError) {
    guard let newest = batch.detections.lazy.map(\.detectedAt).max(), newest >= coveredUntil else { return }
    coveredUntil = try store.ensurePartitions(through: newest)
  }
}

/// Chooses between COPY and the careful path by what the last batches met.
struct PathChoice {
  private var carefulRemaining = 0
  private var carefulRun = 1

  var next: ApplyPath { carefulRemaining > 0 ? .careful : .optimistic }

  /// A rolled-back COPY is wasted work: after each, the careful path is kept for a while, longer each time, until a
  /// careful batch meets no duplicate.
  mutating func learn(from report: BatchReport, detections: Int) {
    guard report.usedCarefulPath else {
      carefulRun = 1
      return
    }
    let met = report.fates.counted < detections
    if carefulRemaining == 0 {
      carefulRemaining = carefulRun
      carefulRun = min(carefulRun * 2, 32)
    } else {
      carefulRemaining = met ? carefulRemaining - 1 : 0
    }
  }
}
