import Counting

/// Everything that one transaction makes true: detections, counts, put-aside and dead messages, and how far each
/// partition has come by them. Built from the messages of any number of partitions, in their order.
///
/// It refers to items by the index that the builder's dictionary gave them; `newItems` names those that the
/// store has not met under this `itemGeneration`.
public struct Batch: Sendable {
  /// A detection that the builder takes for new. `part` is an index into `parts`.
  public struct Detection: Sendable {
    public var oid: Int64
    public var detectedAt: Timestamp
    public var location: Int64
    public var item: Int32
    public var part: Int32

    public init(oid: Int64, detectedAt: Timestamp, location: Int64, item: Int32, part: Int32) {
      self.oid = oid
      self.detectedAt = detectedAt
      self.location = location
      self.item = item
      self.part = part
    }
  }

  /// The stretch of one partition that the batch covers, and what became of its messages.
  public struct Part: Sendable {
    public var topic: String
    public var partition: Int32
    /// The claim under which the messages were read.
    public var epoch: Int64
    /// Where the stretch begins: the partition's stored offset, or nothing of this batch is written.
    public var base: Int64
    /// The last seen offset + 1; never base + count, as compaction and transaction markers leave gaps.
    public var next: Int64
    /// The largest event time that was accepted, if any was.
    public var maximumEventAt: Timestamp?
    public var fates: FateCounts

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
    public var index: Int32
    public var name: [UInt8]

    public init(index: Int32, name: [UInt8]) {
      self.index = index
      self.name = name
    }
  }

  /// An event put aside for its time (`fate` is `.late` or `.future`), with its position.
  public struct QuarantinedEvent: Sendable {
    public var part: Int32
    public var offset: Int64
    public var fate: Fate
    public var oid: Int64
    public var location: Int64
    public var camera: Int64
    public var itemName: [UInt8]
    public var detectedAt: Timestamp

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
  }

  /// A message that can never be an event, with its first bytes.
  public struct DeadLetter: Sendable {
    public var part: Int32
    public var offset: Int64
    public var reason: String
    public var field: String?
    public var payload: [UInt8]
    public var payloadBytes: Int
    /// Kafka's timestamp of the message, where it has one.
    public var messageAt: Timestamp?

    public init(
      part: Int32, offset: Int64, reason: String, field: String?, payload: [UInt8], payloadBytes: Int,
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

  public var itemGeneration: Int
  public var parts: [Part] = []
  /// Sorted by oid and without repeats: the order in which every writer takes its locks.
  public var detections: [Detection] = []
  public var newItems: [NewItem] = []
  public var quarantined: [QuarantinedEvent] = []
  public var deadLetters: [DeadLetter] = []

  public init(itemGeneration: Int) {
    self.itemGeneration = itemGeneration
  }

  /// The oldest detection that wants to be counted: it must not lie below the deduplication floor.
  public var oldestDetection: Timestamp? {
    detections.lazy.map(\.detectedAt).min()
  }
}
