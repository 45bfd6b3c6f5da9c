import CountStore
import Counting
import Postgres
import TestSupport

/// A migrated database with one writer, and a way to write batches as a worker does.
final class CountStoreFixture {
  struct Seen {
    var oid: Int64
    var location: Int64 = 1
    var item = "box"
    /// Microseconds since `origin`.
    var at: Int64 = 0
  }

  let url: String
  let connection: Connection
  var store: CountStore { CountStore(connection) }

  /// The beginning of an hour, some minutes ago by the database's clock, so that nothing is late or ahead.
  let origin: Int64

  init(url: String, settings: [(name: String, value: String)] = []) throws {
    self.url = url
    connection = try Self.connect(url, settings)
    _ = try CountStore(connection).migrate()
    let now = try connection.execute("SELECT clock_timestamp()").timestamp(0, 0)
    origin = (now / 3_600_000_000 - 1) * 3_600_000_000
  }

  static func connect(_ url: String, _ settings: [(name: String, value: String)] = []) throws -> Connection {
    var options = ConnectionOptions(url: url)
    options.settings = [(name: "statement_timeout", value: "30s")] + settings
    return try Connection(options)
  }

  static func with<T>(_ body: (CountStoreFixture) throws -> T) throws -> T {
    try TestDatabase.withDatabase { url in try body(CountStoreFixture(url: url)) }
  }

  static func key(_ partition: Int32) -> PartitionKey { PartitionKey(topic: "events", partition: partition) }

  func claim(
    _ partition: Int32 = 0,
    held: Int64? = nil,
    mayTake: Bool = true,
    low: Int64 = 0,
    on other: Connection? = nil
  ) throws -> PartitionClaim? {
    let request = ClaimRequest(
      key: Self.key(partition),
      heldEpoch: held,
      mayTake: mayTake,
      lowWatermark: low
    )
    return try CountStore(other ?? connection).claim([request], dedupHorizonSeconds: 7 * 86_400).claims.first
  }

  /// A batch of one message for each detection.
  func batch(_ claim: PartitionClaim, _ seen: [Seen]) -> Batch {
    var batch = Batch(itemGeneration: 0)
    var part = Batch.Part(
      topic: claim.key.topic,
      partition: claim.key.partition,
      epoch: claim.epoch,
      base: claim.nextOffset
    )
    part.next = claim.nextOffset + Int64(seen.count)
    part.fates.counted = seen.count
    part.maximumEventAt = seen.map { Timestamp(microseconds: origin + $0.at) }.max()
    batch.parts = [part]
    for detection in seen {
      let name = Array(detection.item.utf8)
      var index = batch.newItems.firstIndex { $0.name == name }
      if index == nil {
        index = batch.newItems.count
        batch.newItems.append(Batch.NewItem(index: Int32(batch.newItems.count), name: name))
      }
      batch.detections.append(
        Batch.Detection(
          oid: detection.oid,
          detectedAt: Timestamp(microseconds: origin + detection.at),
          location: detection.location,
          item: Int32(index ?? 0),
          part: 0
        )
      )
    }
    batch.detections.sort { $0.oid < $1.oid }
    return batch
  }

  func apply(_ batch: Batch, path: ApplyPath = .optimistic, on other: Connection? = nil) throws
    -> ApplyOutcome
  {
    let store = CountStore(other ?? connection)
    let ids = try store.internItems(batch.newItems.map(\.name))
    return try store.apply(batch, itemIDs: ids, path: path)
  }

  /// The claim after a batch that was committed.
  func after(_ batch: Batch) -> PartitionClaim {
    PartitionClaim(key: batch.parts[0].key, epoch: batch.parts[0].epoch, nextOffset: batch.parts[0].next)
  }

  func number(_ query: Query) throws -> Int64 { try connection.execute(query).optionalInt64(0, 0) ?? 0 }

  func recount(_ seen: [Seen]) -> Recount {
    var recount = Recount()
    for detection in seen {
      recount.count(
        oid: detection.oid,
        location: detection.location,
        detectedAt: origin + detection.at,
        item: detection.item
      )
    }
    return recount
  }

  func violations(_ seen: [Seen]? = nil) throws -> [String] {
    try Invariants.violations(connection, recount: seen.map(recount))
  }
}

extension ApplyOutcome {
  var isCommitted: Bool { committedParts != nil }

  var committedParts: [Batch.Part]? {
    guard case .committed(let applied) = self else { return nil }
    return applied.parts
  }

  var revision: Int64? {
    guard case .committed(let applied) = self else { return nil }
    return applied.revision
  }

  var usedCarefulPath: Bool? {
    guard case .committed(let applied) = self else { return nil }
    return applied.usedCarefulPath
  }
}
