import Counting

/// The batch of a readmitting transaction, with the old fate and position of each message.
struct ReadmissionPlan {
  /// Messages of one part share all this, so that the part's fates are the fates of exactly these messages.
  private struct Group: Hashable {
    var key: PartitionKey
    var oldFate: Fate
    var isAccounted: Bool
  }

  var batch = Batch(itemGeneration: 0)
  var report = ReadmissionReport()
  /// Everything that gets a new fate.
  private(set) var positions: [MessagePosition] = []
  private var quarantined: Set<MessagePosition> = []
  private var groups: [Group] = []
  private var parts: [Group: Int32] = [:]

  init(cameras: CameraCounterTable) { batch.cameras = cameras }

  mutating func add(_ message: Readmission, fate: Fate, isAccounted: Bool, item: Int32, camera: Int32) {
    let part = part(
      Group(key: message.position.key, oldFate: message.fate, isAccounted: isAccounted)
    )
    batch.parts[Int(part)].fates[fate] += 1
    positions.append(message.position)
    guard fate == .counted else {
      var event = message.event
      event.part = part
      event.offset = message.position.offset
      event.fate = fate
      batch.quarantined.append(event)
      // What comes from the quarantine arrived, and was counted, before.
      if message.fate == .deadLetter { batch.cameras.add(fate, to: camera) }
      quarantined.insert(message.position)
      return
    }
    let event = message.event
    batch.parts[Int(part)].maximumEventAt = max(
      batch.parts[Int(part)].maximumEventAt ?? event.detectedAt,
      event.detectedAt
    )
    batch.detections.append(
      Batch.Detection(
        oid: event.oid,
        detectedAt: event.detectedAt,
        location: event.location,
        item: item,
        part: part,
        camera: camera,
        payloadHash: event.payloadHash
      )
    )
  }

  private mutating func part(_ group: Group) -> Int32 {
    if let part = parts[group] { return part }
    let part = Int32(groups.count)
    groups.append(group)
    batch.parts.append(
      Batch.Part(topic: group.key.topic, partition: group.key.partition, epoch: 0, base: 0)
    )
    parts[group] = part
    return part
  }

  /// The rows that have served their time: all, except what stays in the quarantine under another reason.
  func gone(from source: Readmission.Source) -> [MessagePosition] {
    source == .deadLetters ? positions : positions.filter { !quarantined.contains($0) }
  }

  /// What moves in which partition, by the parts' final fates.
  func moves(_ parts: [Batch.Part]) -> [PartitionKey: FateMoves] {
    var moves: [PartitionKey: FateMoves] = [:]
    for (group, part) in zip(groups, parts) {
      var partition = moves[group.key] ?? FateMoves()
      if group.isAccounted {
        for fate in Fate.allCases where part.fates[fate] > 0 {
          partition.move(part.fates[fate], from: group.oldFate, to: fate)
        }
      }
      if let time = part.maximumEventAt {
        partition.maximumEventAt = max(partition.maximumEventAt ?? time, time)
      }
      moves[group.key] = partition
    }
    return moves
  }

  /// The report, when these partitions' fates have been moved.
  func report(_ parts: [Batch.Part], moved: Set<PartitionKey>) -> ReadmissionReport {
    var report = report
    for (group, part) in zip(groups, parts) {
      report.fates += part.fates
      if !group.isAccounted || !moved.contains(group.key) { report.unaccounted += part.fates.total }
    }
    return report
  }
}
