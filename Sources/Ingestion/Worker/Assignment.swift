import CountStore
import Counting
import Kafka
import Threading

/// The partitions that Kafka has given to this worker, and how far it has come with each.
struct Assignment {
  /// Where a partition stands with this worker.
  enum ClaimState: Equatable {
    /// Given by Kafka, not read until the claim on it is stored.
    case unclaimed
    case reading
    /// Another worker holds it. Kafka will take it away; if it does not do so for long, the other is gone.
    case fenced(since: MonotonicInstant)
    /// Stopped until an operator acts.
    case halted(String)
  }

  struct Entry {
    var key: PartitionKey
    var standing = ClaimState.unclaimed
    /// The claim's epoch, kept over failures: a claim that is still ours is not raised.
    var epoch: Int64?
    /// Whether it may be taken from another holder: once for each time that Kafka assigns it.
    var mayTake = true
    /// Where the part that is being built began: what will be stored when all before it is committed.
    var next: Int64 = 0
    /// The index of its part in the batch that is being built.
    var part: Int32?
    var reachedEnd = false
    /// The end that was reached last.
    var readEnd: Int64 = 0
    /// What keeps its next message from being read, over failures.
    var trouble: Trouble?
    /// Whether the log seems to end below `next`.
    var shortfall = Shortfall.none
    /// The end of the log when it was last asked for.
    var logEnd: Int64 = 0
    /// When it may be claimed.
    var notBefore = MonotonicInstant.distantPast
    /// Whether its leader did not answer when it was last asked for the log's ends.
    var isSilent = false
  }

  /// Failures to read one position.
  struct Trouble {
    /// The offset that was next.
    var offset: Int64
    var failures: Int
    /// That the offset is outside of the log, instead of something with the messages there.
    var isOutOfRange: Bool
    var reason: String

    /// How often one position is tried; with the pauses between, for six seconds.
    static let failureLimit = 4
  }

  /// How sure it is that a partition's log ends below its position. Kafka refuses to read behind the end; other brokers
  /// answer with nothing at all, for ever.
  enum Shortfall: Equatable {
    case none
    /// The end of the log by the last fetch lies below the position. It may be the end of an older fetch.
    case suspected(since: MonotonicInstant)
    /// Reading was moved back to that end: if the log goes on there, up to the position, all is well.
    case probed
  }

  private(set) var entries: [Entry] = []
  /// Grows with each change, so that the response to an older request is recognised.
  private(set) var version = 0
  /// Whether Kafka has assigned anything yet, be it nothing at all.
  private(set) var hasBegun = false

  private let now: @Sendable () -> MonotonicInstant
  private var lastHandle: UnsafeRawPointer?
  private var lastPartition: Int32 = -1
  private var lastIndex = 0

  /// Nothing is assigned yet.
  init(now: @escaping @Sendable () -> MonotonicInstant = MonotonicInstant.now) {
    self.now = now
  }

  /// Kafka gives partitions: all there are with an eager strategy, further ones with a cooperative one.
  mutating func add(_ keys: [PartitionKey]) {
    hasBegun = true
    remove(keys)
    entries += keys.map { Entry(key: $0) }
    entries.sort { $0.key < $1.key }
    changed()
  }

  mutating func remove(_ keys: [PartitionKey]) {
    let gone = Set(keys)
    entries.removeAll { gone.contains($0.key) }
    changed()
  }

  /// Reads nothing more until each partition's position is known again.
  mutating func startOver() {
    for index in entries.indices {
      entries[index].part = nil
      entries[index].reachedEnd = false
      entries[index].shortfall = .none
      if entries[index].standing == .reading { entries[index].standing = .unclaimed }
    }
    changed()
  }

  /// Lets a partition be taken once more that Kafka has left with this worker for longer than any session lasts: its
  /// holder is gone, or a failover of PostgreSQL has lost the claim.
  mutating func reconsiderFenced() {
    for index in entries.indices {
      guard case .fenced(let since) = entries[index].standing,
        now().elapsed(since: since) > .seconds(60)
      else { continue }
      entries[index].standing = .unclaimed
      entries[index].mayTake = true
    }
  }

  /// Ends the batch's parts: the next message of each partition begins a new one.
  mutating func endParts() {
    for index in entries.indices { entries[index].part = nil }
  }

  /// The partitions that are being read.
  var reading: [Entry] { entries.filter { $0.standing == .reading } }

  subscript(index: Int) -> Entry {
    get { entries[index] }
    _modify { yield &entries[index] }
  }

  func index(of key: PartitionKey) -> Int? { entries.firstIndex { $0.key == key } }

  /// The entry that a message belongs to; consecutive messages mostly are of one partition.
  mutating func index(for message: borrowing Message) -> Int? {
    if message.topicHandle == lastHandle, message.partition == lastPartition, lastHandle != nil {
      return lastIndex
    }
    guard let index = index(of: PartitionKey(topic: message.topic, partition: message.partition)) else {
      return nil
    }
    lastHandle = message.topicHandle
    lastPartition = message.partition
    lastIndex = index
    return index
  }

  var hasUnclaimed: Bool { entries.indices.contains { isDue($0) } }

  /// Whether a partition waits for its claim, and may be claimed now.
  func isDue(_ index: Int) -> Bool {
    entries[index].standing == .unclaimed && entries[index].notBefore <= now()
  }

  /// Takes note that the next message of a partition could not be read.
  mutating func recordTrouble(_ index: Int, isOutOfRange: Bool, reason: String) {
    let next = entries[index].next
    // After a failure the partition is read again from its stored offset, so it is behind the trouble for a while.
    var trouble =
      entries[index].trouble
      ?? Trouble(offset: next, failures: 0, isOutOfRange: isOutOfRange, reason: reason)
    trouble.offset = max(trouble.offset, next)
    trouble.failures += 1
    trouble.isOutOfRange = isOutOfRange
    trouble.reason = reason
    entries[index].trouble = trouble
    // What librdkafka returns next may lie behind messages that it has skipped: the position is sought again.
    entries[index].standing = .unclaimed
    postpone(index, milliseconds: Int64(trouble.failures) * 1000)
  }

  /// Takes note that a partition was read up to an end at or behind its position.
  mutating func recordEnd(_ index: Int, at offset: Int64) {
    // Not where a broker that is slow to look has found nothing yet: Tansu calls that an end.
    entries[index].reachedEnd = offset >= entries[index].logEnd
    if entries[index].reachedEnd { entries[index].readEnd = offset }
    // As good as a message: what could not be read before can be read now.
    if entries[index].reachedEnd, let trouble = entries[index].trouble, offset >= trouble.offset {
      entries[index].trouble = nil
    }
  }

  /// Compares a partition's position with the end of the log as of the last fetch.
  /// - Returns: where to move back to, to see whether the log really ends there; mostly nil.
  mutating func compare(_ index: Int, logEnd: Int64, now: MonotonicInstant) -> Int64? {
    guard entries[index].standing == .reading, logEnd < entries[index].next else {
      entries[index].shortfall = .none
      return nil
    }
    switch entries[index].shortfall {
    case .none: entries[index].shortfall = .suspected(since: now)
    case .suspected(let since) where now.elapsed(since: since) >= .seconds(2):
      entries[index].shortfall = .probed
      return logEnd
    case .suspected, .probed: break
    }
    return nil
  }

  /// Leaves a partition alone for a moment.
  mutating func postpone(_ index: Int, milliseconds: Int64) {
    entries[index].notBefore = now() + .milliseconds(milliseconds)
  }

  /// Takes note that a partition's leader does not answer. The more there are, the less often each is asked: waiting
  /// for them, two seconds each time, takes a third of the time at most.
  mutating func recordSilence(_ index: Int) {
    entries[index].isSilent = true
    postpone(index, milliseconds: Int64(entries.count(where: \.isSilent)) * 4000)
  }

  /// Takes note that it answers. Where it did not before, the other leaders may be back, too.
  mutating func recordResponse(_ index: Int) {
    guard entries[index].isSilent else { return }
    entries[index].isSilent = false
    for other in entries.indices where entries[other].isSilent { entries[other].notBefore = .distantPast }
  }

  /// Whether there is nothing left to read, as far as Kafka has said.
  var isDrained: Bool {
    hasBegun
      && entries.allSatisfy {
        switch $0.standing {
        case .reading: $0.reachedEnd
        case .unclaimed, .fenced: false
        case .halted: true
        }
      }
  }

  /// Why a partition is halted, for the first that is.
  var haltReason: String? {
    for entry in entries {
      if case .halted(let reason) = entry.standing {
        return "\(entry.key.topic)[\(entry.key.partition)]: \(reason)"
      }
    }
    return nil
  }

  private mutating func changed() {
    version += 1
    // Indexes have moved, and a topic handle may come to mean another topic.
    lastHandle = nil
  }
}

extension PartitionKey {
  init(_ partition: TopicPartition) { self.init(topic: partition.topic, partition: partition.partition) }

  var topicPartition: TopicPartition { TopicPartition(topic: topic, partition: partition) }
}
