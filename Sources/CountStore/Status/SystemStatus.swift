public import Counting

/// How the whole system stands, as of one snapshot.
public struct SystemStatus: Sendable, Equatable {
  /// Where one partition stands.
  public struct Partition: Sendable, Equatable {
    /// The partition.
    public var key: PartitionKey
    /// Everything below it is accounted for.
    public var nextOffset: Int64
    /// The end of the log as its worker saw it with its last batch; nil before the first batch.
    public var logEnd: Int64?
    /// The largest event time that was accepted.
    public var maximumEventAt: Timestamp?
    /// When its worker last committed.
    public var lastMessageAt: Timestamp?
    /// What became of its messages.
    public var fates: FateCounts

    /// Takes each property.
    public init(
      key: PartitionKey,
      nextOffset: Int64,
      logEnd: Int64?,
      maximumEventAt: Timestamp?,
      lastMessageAt: Timestamp?,
      fates: FateCounts
    ) {
      self.key = key
      self.nextOffset = nextOffset
      self.logEnd = logEnd
      self.maximumEventAt = maximumEventAt
      self.lastMessageAt = lastMessageAt
      self.fates = fates
    }
  }

  /// How one camera behaves.
  public struct Camera: Sendable, Equatable {
    /// The camera.
    public var key: CameraKey
    /// What came of its messages.
    public var counters: CameraCounters
    /// When its last message came.
    public var lastSeen: Timestamp?

    /// Takes each property.
    public init(key: CameraKey, counters: CameraCounters, lastSeen: Timestamp?) {
      self.key = key
      self.counters = counters
      self.lastSeen = lastSeen
    }
  }

  /// The newest revision.
  public var revision: Int64
  /// The event time up to which counts are complete; nil before the first event.
  public var watermark: Timestamp?
  /// All of them, by topic, then number.
  public var partitions: [Partition]
  /// Topics that were forgotten, by name; their fates are part of the totals.
  public var forgotten: [ForgottenTopic]
  /// Dead letters that are kept. Purged and replayed ones are not; the fates go on counting the purged ones.
  public var deadLettersKept: Int64
  /// Events that are in the quarantine.
  public var quarantined: Int64
  /// Cameras that have counters of their own.
  public var camerasKnown: Int64
  /// Those that send contradictions, or events out of time: the worst first.
  public var cameraProblems: [Camera]
  /// All cameras that have no counters of their own, together.
  public var otherCameras: CameraCounters
  /// The workers, as of the same moment.
  public var workers: WorkerReading

  /// Takes each property.
  public init(
    revision: Int64,
    watermark: Timestamp?,
    partitions: [Partition],
    forgotten: [ForgottenTopic] = [],
    deadLettersKept: Int64,
    quarantined: Int64,
    camerasKnown: Int64,
    cameraProblems: [Camera],
    otherCameras: CameraCounters,
    workers: WorkerReading
  ) {
    self.revision = revision
    self.watermark = watermark
    self.partitions = partitions
    self.forgotten = forgotten
    self.deadLettersKept = deadLettersKept
    self.quarantined = quarantined
    self.camerasKnown = camerasKnown
    self.cameraProblems = cameraProblems
    self.otherCameras = otherCameras
    self.workers = workers
  }
}
