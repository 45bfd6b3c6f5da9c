import CountStore
import Counting
import Kafka

/// Fills a batch with the messages of the assigned partitions: decodes them, gives each its fate, and drops the
/// duplicates that it remembers.
struct BatchBuilder: ~Copyable {
  private var decoder: EventDecoder
  private var recent: RecentDetections
  private var items: ItemDictionary
  private var batch: Batch
  /// Accepted events whose oids and cameras have not been looked up yet.
  private var arrivals: [Arrival] = []
  /// What looking ahead found (see `resolveArrivals`).
  private var glanced: Int64 = 0
  /// What of the batch's memory grows with its messages' content.
  private var contentBytes = 0
  private let deadLetterBytes: Int
  private let batchBytes: Int
  private let allowedSkew: Int64
  private let cameraLimit: Int

  /// Messages in the batch, of whatever fate.
  private(set) var messages = 0
  /// Those of them that the database has refused, and that are to be dead letters.
  private var rejected = 0
  /// The message that was added last.
  private(set) var last: (part: Int32, offset: Int64)?

  init(_ options: IngestionOptions) {
    decoder = EventDecoder(maximumBytes: options.maximumMessageBytes, timestampUnit: options.timestampUnit)
    recent = RecentDetections(capacity: options.rememberedDetections)
    items = ItemDictionary()
    cameraLimit = options.maximumCameras > 0 ? CameraCounterTable.defaultLimit : 0
    batch = Batch(itemGeneration: 0, cameraLimit: cameraLimit)
    deadLetterBytes = options.deadLetterBytes
    batchBytes = options.batchBytes
    allowedSkew = options.allowedSkewSeconds * 1_000_000
  }

  private struct Arrival {
    var detection: Batch.Detection
    var camera: CameraKey
    /// See `CameraCounterTable.recordArrival`.
    var skew: Int64
  }

  /// So many are looked up together.
  private static var arrivalsAtOnce: Int { 64 }

  /// Whether the batch has reached the bound of its memory.
  var isHeavy: Bool { contentBytes >= batchBytes }

  /// Whether all events of the batch are ones that the database has refused before, so that nothing shows that the
  /// fault is theirs: it must commit another event in the same transaction before they become dead letters.
  var isUnproven: Bool { rejected > 0 && batch.detections.isEmpty }

  /// How many oids are remembered.
  var remembered: Int { recent.count }

  /// Begins the offset range of a partition.
  /// - Returns: the range's index, for `add`.
  mutating func beginPart(_ key: PartitionKey, epoch: Int64, base: Int64) -> Int32 {
    batch.parts.append(Batch.Part(topic: key.topic, partition: key.partition, epoch: epoch, base: base))
    return Int32(batch.parts.count - 1)
  }

  /// Gives a message its fate.
  /// - Parameters:
  ///   - rejection: why the database refused this message, when it did in an earlier try.
  mutating func add(
    _ message: borrowing Message,
    to part: Int32,
    floor: Timestamp,
    now: Timestamp,
    rejection: String?
  ) {
    let fate = judge(message, part: part, floor: floor, now: now, rejection: rejection)
    batch.parts[Int(part)].fates[fate] += 1
    batch.parts[Int(part)].next = message.offset + 1
    messages += 1
    if rejection != nil { rejected += 1 }
    last = (part, message.offset)
  }

  private mutating func judge(
    _ message: borrowing Message,
    part: Int32,
    floor: Timestamp,
    now: Timestamp,
    rejection: String?
  ) -> Fate {
    guard let payload = message.payload else { return .tombstone }
    if let rejection { return insertDeadLetters(message, payload, part: part, reason: rejection, field: nil) }
    let event: Event
    do {
      event = try decoder.decode(payload)
    } catch {
      return insertDeadLetters(
        message,
        payload,
        part: part,
        reason: error.reason.rawValue,
        field: error.field?.rawValue
      )
    }
    let skew = event.detectedAt.microseconds &- now.microseconds
    let camera = CameraKey(location: event.locationOid, camera: event.cameraOid)
    if event.detectedAt < floor || skew > allowedSkew {
      // In the order of their arrival.
      resolveArrivals()
      let index = batch.cameras.recordArrival(camera, skew: skew)
      return quarantine(event, event.detectedAt < floor ? .late : .future, message, part: part, camera: index)
    }
    if batch.parts[Int(part)].maximumEventAt.map({ $0 < event.detectedAt }) ?? true {
      batch.parts[Int(part)].maximumEventAt = event.detectedAt
    }
    let (index, isNew) = items.index(of: event.itemName)
    if isNew {
      batch.newItems.append(Batch.NewItem(index: index, name: [UInt8](event.itemName)))
      contentBytes += event.itemName.count
    }
    let detection = Batch.Detection(
      oid: event.detectionOid,
      detectedAt: event.detectedAt,
      location: event.locationOid,
      item: index,
      part: part,
      payloadHash: event.payloadHash
    )
    arrivals.append(Arrival(detection: detection, camera: camera, skew: skew))
    if arrivals.count == Self.arrivalsAtOnce { resolveArrivals() }
    return .counted
  }

  /// Gives the accepted events to their cameras, and drops those that are remembered. To be called after the last `add`
  /// of a row.
  ///
  /// All are looked at before anything is made of the first one: the memory of two million oids is in no cache, and so
  /// the waits for it overlap.
  mutating func resolveArrivals() {
    for arrival in arrivals {
      glanced ^= recent.touch(arrival.detection.oid) ^ batch.cameras.touch(arrival.camera)
    }
    for var arrival in arrivals {
      arrival.detection.camera = batch.cameras.recordArrival(arrival.camera, skew: arrival.skew)
      let memory = recent.insert(arrival.detection.oid, hash: arrival.detection.payloadHash)
      if memory == .new {
        batch.detections.append(arrival.detection)
      } else {
        batch.recordDuplicate(arrival.detection, conflicts: memory == .conflicting)
      }
    }
    arrivals.removeAll(keepingCapacity: true)
  }

  private mutating func insertDeadLetters(
    _ message: borrowing Message,
    _ payload: UnsafeRawBufferPointer,
    part: Int32,
    reason: String,
    field: String?
  ) -> Fate {
    let kept = [UInt8](payload.prefix(deadLetterBytes))
    batch.deadLetters.append(
      Batch.DeadLetter(
        part: part,
        offset: message.offset,
        reason: reason,
        field: field,
        payload: kept,
        payloadBytes: payload.count,
        messageAt: Self.time(of: message)
      )
    )
    contentBytes += kept.count + 64
    return .deadLetter
  }

  private mutating func quarantine(
    _ event: Event,
    _ fate: Fate,
    _ message: borrowing Message,
    part: Int32,
    camera: Int32
  ) -> Fate {
    batch.cameras.add(fate, to: camera)
    batch.quarantined.append(
      Batch.QuarantinedEvent(part: part, offset: message.offset, fate: fate, event: event)
    )
    contentBytes += event.itemName.count + 64
    return fate
  }

  /// Kafka's timestamp, unless it is one that no calendar has: it is outside data too.
  private static func time(of message: borrowing Message) -> Timestamp? {
    guard let milliseconds = message.timestamp, (0..<100_000_000_000_000).contains(milliseconds) else {
      return nil
    }
    return Timestamp(microseconds: milliseconds * 1000)
  }

  /// Forgets everything that is not committed, and all that was remembered besides: after a failure only the
  /// database knows what is stored.
  mutating func reset() {
    recent.removeAll()
    items.startGeneration()
    startBatch()
  }

  /// Where the log of a part's partition ends, as far as is known.
  mutating func setLogEnd(_ offset: Int64, of part: Int32) { batch.parts[Int(part)].logEnd = offset }

  /// Ends the batch, and begins the next one.
  mutating func seal() -> Batch {
    resolveArrivals()
    var sealed = batch
    OidOrder.sort(&sealed.detections)
    sealed.dropRepeats()
    // A full dictionary ends with a batch: a batch's indexes are of one generation.
    if items.isFull { items.startGeneration() }
    startBatch()
    return sealed
  }

  private mutating func startBatch() {
    batch = Batch(itemGeneration: items.generation, cameraLimit: cameraLimit)
    batch.startsGeneration = items.isEmpty
    arrivals.removeAll(keepingCapacity: true)
    contentBytes = 0
    messages = 0
    rejected = 0
    last = nil
  }
}
