import Counting

/// Everything that one transaction makes true: detections, counts, put-aside and dead messages, and how far each
/// partition has come by them. Built from the messages of any number of partitions, in their order.
///
/// It refers to items by the index that the builder's dictionary gave them; `newItems` names those that the
/// store has not met under this `itemGeneration`.
public struct Batch: Sendable {
  /// A detection that the builder takes for new. `part` is an index into `parts`.
  public struct Detection: Sendable {
    /// `detection_oid`
    public var oid: Int64
    /// `timestamp_detected`
    public var detectedAt: Timestamp
    /// `geographical_location_oid`
    public var location: Int64
    /// The dictionary's index of the name.
    public var item: Int32
    /// Which of the batch's parts it came in.
    public var part: Int32
    /// The index of its camera in `cameras`.
    public var camera: Int32
    /// See `PayloadHash`.
    public var payloadHash: Int64

    /// A detection of the given parts.
    public init(
      oid: Int64,
      detectedAt: Timestamp,
      location: Int64,
      item: Int32,
      part: Int32,
      camera: Int32 = CameraCounterTable.others,
      payloadHash: Int64 = 0
    ) {
      self.oid = oid
      self.detectedAt = detectedAt
      self.location = location
      self.item = item
      self.part = part
      self.camera = camera
      self.payloadHash = payloadHash
    }
  }

  /// The offset range of one partition that the batch covers, and the fates of its messages.
  public struct Part: Sendable {
    /// The topic's name.
    public var topic: String
    /// The partition's number.
    public var partition: Int32
    /// The claim under which the messages were read.
    public var epoch: Int64
    /// The first offset of the range. The batch is refused unless it is the partition's stored offset.
    public var base: Int64
    /// The last seen offset + 1; never base + count, as compaction and transaction markers leave gaps.
    public var next: Int64
    /// The largest event time that was accepted, if any was.
    public var maximumEventAt: Timestamp?
    /// The fates of the range's messages.
    public var fates: FateCounts
    /// The end of the partition's log as it was last seen.
    public var logEnd: Int64?

    /// An empty range.
    public init(topic: String, partition: Int32, epoch: Int64, base: Int64) {
      self.topic = topic
      self.partition = partition
      self.epoch = epoch
      self.base = base
      self.next = base
      self.fates = FateCounts()
    }
  }

  /// An item name that the dictionary met for the first time.
  public struct NewItem: Sendable {
    /// The index that the dictionary gave it.
    public var index: Int32
    /// UTF-8.
    public var name: [UInt8]

    /// A name and its index.
    public init(index: Int32, name: [UInt8]) {
      self.index = index
      self.name = name
    }
  }

  /// An event that is quarantined because of its time (`fate` is `.late` or `.future`), with its position.
  public struct QuarantinedEvent: Sendable {
    /// Which of the batch's parts it came in.
    public var part: Int32
    /// Its offset in the partition.
    public var offset: Int64
    /// `.late` or `.future`.
    public var fate: Fate
    /// `detection_oid`
    public var oid: Int64
    /// `geographical_location_oid`
    public var location: Int64
    /// `video_camera_oid`
    public var camera: Int64
    /// UTF-8.
    public var itemName: [UInt8]
    /// `timestamp_detected`
    public var detectedAt: Timestamp

    /// Copies what it needs of the event.
    public init(part: Int32, offset: Int64, fate: Fate, event: Event) {
      self.part = part
      self.offset = offset
      self.fate = fate
      oid = event.detectionOid
      location = event.locationOid
      camera = event.cameraOid
      itemName = [UInt8](event.itemName)
      detectedAt = event.detectedAt
    }

    init(
      part: Int32,
      offset: Int64,
      fate: Fate,
      oid: Int64,
      location: Int64,
      camera: Int64,
      itemName: [UInt8],
      detectedAt: Timestamp
    ) {
      self.part = part
      self.offset = offset
      self.fate = fate
      self.oid = oid
      self.location = location
      self.camera = camera
      self.itemName = itemName
      self.detectedAt = detectedAt
    }

    /// See `PayloadHash`.
    var payloadHash: Int64 {
      itemName.withUnsafeBytes {
        PayloadHash.of(location: location, camera: camera, detectedAt: detectedAt, itemName: $0)
      }
    }
  }

  /// A message that can never be an event, with its first bytes.
  public struct DeadLetter: Sendable {
    /// Which of the batch's parts it came in.
    public var part: Int32
    /// Its offset in the partition.
    public var offset: Int64
    /// A stable word, such as a `DecodeFailure`.
    public var reason: String
    /// The field that is wrong, if it is one.
    public var field: String?
    /// The first bytes of the message.
    public var payload: [UInt8]
    /// How many bytes the whole message had.
    public var payloadBytes: Int
    /// Kafka's timestamp of the message, where it has one.
    public var messageAt: Timestamp?

    /// A dead message.
    public init(
      part: Int32,
      offset: Int64,
      reason: String,
      field: String?,
      payload: [UInt8],
      payloadBytes: Int,
      messageAt: Timestamp?
    ) {
      self.part = part
      self.offset = offset
      self.reason = reason
      self.field = field
      self.payload = payload
      self.payloadBytes = payloadBytes
      self.messageAt = messageAt
    }
  }

  /// Which dictionary the indexes belong to.
  public var itemGeneration: Int
  /// Whether the generation begins with this batch: it then knows no index but those of its own `newItems`.
  public var startsGeneration = true
  /// At most one of each partition.
  public var parts: [Part] = []
  /// Sorted by oid and without duplicates: the order in which every writer takes its locks.
  public var detections: [Detection] = []
  /// In the order of their indexes, which follow those of earlier batches without a gap.
  public var newItems: [NewItem] = []
  /// In the order in which they came.
  public var quarantined: [QuarantinedEvent] = []
  /// In the order in which they came.
  public var deadLetters: [DeadLetter] = []
  /// What of each camera is known without the database: all but what is counted or met there as a duplicate.
  public var cameras: CameraCounterTable

  /// A batch without messages.
  /// - Parameter cameraLimit: how many cameras have counters of their own.
  public init(itemGeneration: Int, cameraLimit: Int = CameraCounterTable.defaultLimit) {
    self.itemGeneration = itemGeneration
    cameras = CameraCounterTable(limit: cameraLimit)
  }

  /// Leaves one detection of each oid in the sorted array: the first stays, the others are duplicates.
  public mutating func dropRepeats() {
    var kept = 0
    for index in detections.indices {
      if kept > 0, detections[kept - 1].oid == detections[index].oid {
        let conflicts = detections[index].payloadHash != detections[kept - 1].payloadHash
        recordDuplicate(detections[index], conflicts: conflicts)
      } else {
        detections[kept] = detections[index]
        kept += 1
      }
    }
    detections.removeSubrange(kept...)
  }

  /// A detection that was taken for new turns out to be a duplicate.
  public mutating func recordDuplicate(_ detection: Detection, conflicts: Bool) {
    parts[Int(detection.part)].fates[.counted] -= 1
    parts[Int(detection.part)].fates[.duplicate] += 1
    cameras.add(.duplicate, conflicts: conflicts, to: detection.camera)
  }

  /// The oldest detection that wants to be counted: it must not lie below the deduplication floor.
  public var oldestDetection: Timestamp? {
    detections.lazy.map(\.detectedAt).min()
  }

  /// The newest event that was judged late: it must lie below the deduplication floor.
  public var newestLateEvent: Timestamp? {
    quarantined.lazy.filter { $0.fate == .late }.map(\.detectedAt).max()
  }
}
