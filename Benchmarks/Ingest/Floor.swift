import ArgumentParser
import Glibc
import Postgres

/// The SQL floor: the events of a scenario without repeats, sorted and summed up in advance, through the same SQL as a
/// worker's on one connection. What is timed is PostgreSQL and the wire; what a worker does besides is its own.
struct Floor: ParsableCommand {
  @OptionGroup var scenario: ScenarioOptions
  @Option var database: String
  @Option var count: UInt64
  @Option var from: UInt64 = 0
  @Option(help: "Events in a transaction.") var batch: UInt64 = 100_000

  func run() throws {
    let connection = try Connection(ConnectionOptions(url: database))
    let ids = try intern(connection)
    let events = scenario.events
    var prepared: [PreparedBatch] = []
    var number = from
    while number < from + count {
      let end = min(number + batch, from + count)
      prepared.append(PreparedBatch((number..<end).map { events[$0] }, itemIDs: ids))
      number = end
    }
    let began = now()
    for batch in prepared { try write(batch, connection) }
    let seconds = Double(now() - began) / 1e9
    print("\(Double(count) / seconds)")
  }

  private func intern(_ connection: Connection) throws -> [Int64] {
    var ids: [Int64] = []
    for item in 0..<Int(Events.items) {
      let name = Array("item number \(item)".utf8)
      _ = try connection.execute(
        """
        INSERT INTO item (name_sha256, item_name) VALUES (sha256(\(name)), convert_from(\(name), 'UTF8'))
        ON CONFLICT DO NOTHING
        """
      )
      ids.append(
        try connection.execute("SELECT item_id FROM item WHERE name_sha256 = sha256(\(name))").int64(0, 0)
      )
    }
    return ids
  }

  private func write(_ batch: PreparedBatch, _ connection: Connection) throws(PostgresError) {
    try connection.transaction { connection throws(PostgresError) in
      _ = try connection.copyIn(
        "COPY detection (detection_oid, detected_at, payload_hash) FROM STDIN (FORMAT binary)"
      ) {
        copy throws(PostgresError) in
        for position in batch.oids.indices {
          try copy.row(columns: 3)
          copy.append(int64: batch.oids[position])
          copy.append(timestamp: batch.times[position])
          copy.append(int64: batch.oids[position])
        }
      }
      _ = try connection.execute(
        """
        INSERT INTO window_count AS stored (geographical_location_oid, window_start, item_id, item_count)
        SELECT * FROM unnest(\(batch.locations), \(timestamps: batch.windowStarts), \(batch.itemIDs), \(batch.counts))
        ON CONFLICT (geographical_location_oid, window_start, item_id)
        DO UPDATE SET item_count = stored.item_count + excluded.item_count
        """
      )
    }
  }

  private func now() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000_000 + Int64(time.tv_nsec)
  }
}

/// A batch as the SQL takes it: detections by oid, counts by key.
private struct PreparedBatch {
  var oids: [Int64]
  var times: [Int64]
  var locations: [Int64] = []
  var windowStarts: [Int64] = []
  var itemIDs: [Int64] = []
  var counts: [Int64] = []

  private struct Key: Hashable {
    var location: Int64
    var windowStart: Int64
    var itemID: Int64
  }

  init(_ events: [Events.Event], itemIDs ids: [Int64]) {
    let sorted = events.sorted { $0.oid < $1.oid }
    oids = sorted.map(\.oid)
    times = sorted.map { $0.milliseconds * 1000 }
    var sums: [Key: Int64] = [:]
    for event in sorted {
      let windowStart = event.milliseconds / 60_000 * 60_000_000
      sums[Key(location: event.location, windowStart: windowStart, itemID: ids[event.item]), default: 0] += 1
    }
    let rows = sums.sorted {
      ($0.key.location, $0.key.windowStart, $0.key.itemID) < (
        $1.key.location, $1.key.windowStart, $1.key.itemID
      )
    }
    locations = rows.map(\.key.location)
    windowStarts = rows.map(\.key.windowStart)
    itemIDs = rows.map(\.key.itemID)
    counts = rows.map(\.value)
  }
}
