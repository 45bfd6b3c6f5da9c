import CountStore
import Counting
import Foundation
import Ingestion
import Postgres
import Simulation
import TestSupport
import Testing

@Suite("what becomes of each message")
struct IngestionFatesTests {
  @Test(
    "each malformed message is one dead letter with its position and bytes, and its neighbours are counted"
  )
  func malformed() async throws {
    try await IngestionFixture.with { fixture throws in
      var expected: [Int64: MalformedPayload] = [:]
      var offset: Int64 = 0
      for (number, sample) in MalformedPayload.all.enumerated() {
        try fixture.detect(Int64(number))
        try fixture.send(sample.bytes)
        expected[offset + 1] = sample
        offset += 2
      }
      try fixture.detect(10_000)
      let worker = try fixture.drain()
      #expect(worker.committedBatches.count <= 3, "they share batches with their neighbours")
      #expect(try fixture.violations() == [])
      let dead = try fixture.connection.execute(
        #"SELECT "offset", reason, payload, payload_bytes, message_at FROM dead_letter ORDER BY "offset""#
      )
      #expect(dead.count == expected.count)
      for row in 0..<dead.count {
        let position = try dead.int64(row, 0)
        let sample = try #require(expected[position], "offset \(position) is a good message")
        #expect(try dead.bytes(row, 2) == sample.bytes, "\(sample.defect)")
        #expect(try dead.int64(row, 3) == Int64(sample.bytes.count))
        let reason = try dead.string(row, 1)
        #expect(DecodeFailure(rawValue: reason) != nil, "\(sample.defect): \(reason)")
        #expect(try dead.optionalTimestamp(row, 4) != nil)
      }
    }
  }

  @Test("an empty message is a dead letter, a tombstone is not")
  func tombstones() async throws {
    try await IngestionFixture.with { fixture throws in
      try fixture.detect(1)
      try fixture.send(nil)
      try fixture.send([])
      try fixture.send(nil)
      try fixture.drain()
      #expect(try fixture.number("SELECT tombstones FROM ingest_offset") == 2)
      #expect(try fixture.connection.execute("SELECT reason FROM dead_letter").string(0, 0) == "empty")
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a message of exactly the limit counts; a longer one is a dead letter whose copy is cut")
  func sizes() async throws {
    try await IngestionFixture.with { fixture throws in
      func padded(_ oid: Int64, to size: Int) throws -> [UInt8] {
        var text = IngestionFixture.payload(oid: oid, location: 1, detectedAt: fixture.origin, item: "box")
        text.removeLast()
        text += Array(#","x":""#.utf8)
        text += [UInt8](repeating: 0x61, count: size - text.count - 2) + Array("\"}".utf8)
        #expect(text.count == size)
        return text
      }
      try fixture.detect(1)
      try fixture.send(try padded(2, to: 1 << 20))
      try fixture.send(try padded(3, to: (1 << 20) + 1))
      try fixture.send(try padded(4, to: 3 << 20))
      try fixture.detect(5)
      try fixture.drain()
      let oids = try fixture.connection.execute("SELECT detection_oid FROM detection ORDER BY 1")
      #expect(try (0..<oids.count).map { try oids.int64($0, 0) } == [1, 2, 5])
      let dead = try fixture.connection.execute(
        #"SELECT reason, octet_length(payload), payload_bytes FROM dead_letter ORDER BY "offset""#
      )
      #expect(dead.count == 2)
      for (row, size) in [(1 << 20) + 1, 3 << 20].enumerated() {
        #expect(try dead.string(row, 0) == "too_large")
        #expect(try dead.int32(row, 1) == 64 << 10)
        #expect(try dead.int64(row, 2) == Int64(size))
      }
      #expect(try Invariants.violations(fixture.connection) == [])
    }
  }

  @Test(
    "late and future events are quarantined with all they hold, and move neither counts nor the watermark"
  )
  func quarantine() async throws {
    try await IngestionFixture.with { fixture throws in
      let day: Int64 = 86_400_000_000
      try fixture.detect(1, at: 5)
      let aside: [(Int64, Int64)] = [
        (2, -8 * day), (3, day), (4, 3_600_000_000), (5, -62_167_219_200_000_000 - fixture.origin),
        (6, 253_402_300_799_999_999 - fixture.origin),
      ]
      for (oid, at) in aside {
        try fixture.send(
          IngestionFixture.payload(
            oid: oid,
            location: 9,
            detectedAt: fixture.origin + at,
            item: "cafe\u{301}"
          )
        )
      }
      // Not quarantined: within the horizon, and within the allowed skew.
      try fixture.detect(7, at: -6 * day)
      try fixture.detect(8, at: 13 * 60_000_000)
      // The same detection, once it is due, is no duplicate of the quarantined event.
      try fixture.detect(3)
      try fixture.drain()
      let rows = try fixture.connection.execute(
        "SELECT detection_oid, reason, geographical_location_oid, video_camera_oid, item_name, detected_at FROM quarantine ORDER BY 1"
      )
      #expect(rows.count == 5)
      for (row, (oid, at)) in aside.enumerated() {
        #expect(try rows.int64(row, 0) == oid)
        #expect(try rows.string(row, 1) == (at < 0 ? "late" : "future"))
        #expect(try rows.int64(row, 2) == 9)
        #expect(try rows.int64(row, 3) == 1)
        #expect(Array(try rows.string(row, 4).utf8) == Array("cafe\u{301}".utf8))
        #expect(try rows.timestamp(row, 5) == fixture.origin + at)
      }
      #expect(
        try fixture.connection.execute("SELECT max_event_at FROM ingest_offset").timestamp(0, 0)
          == fixture.origin + 13 * 60_000_000
      )
      #expect(try fixture.violations() == [])
    }
  }

  @Test(
    "a detection that comes 50,000 times, in batches large and small and through several partitions, counts once"
  )
  func repeated() async throws {
    try await IngestionFixture.with(partitions: 3) { fixture throws in
      for number in 0..<50_000 {
        try fixture.detect(4711, location: 3, partition: Int32(number % 3))
        if number % 5000 == 0 { try fixture.detect(Int64(number) + 10_000) }
      }
      try fixture.drain { $0.batchMessages = 7001 }
      #expect(try fixture.violations() == [])
      #expect(try fixture.accounted() == 50_010)
    }
  }

  @Test("a memory of oids that is smaller than a batch forgets, and counts right all the same")
  func smallMemory() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      for round in 0..<3 {
        for oid: Int64 in 0..<2000 { try fixture.detect(oid, location: oid % 3, partition: Int32(round % 2)) }
      }
      try fixture.drain { $0.rememberedDetections = 0 }
      #expect(try fixture.violations() == [])
      #expect(try fixture.number("SELECT sum(duplicates)::bigint FROM ingest_offset") == 4000)
    }
  }

  @Test(
    "a message that the database refuses is one dead letter with the SQLSTATE, and all others are counted"
  )
  func rejectedByDatabase() async throws {
    try await IngestionFixture.with(partitions: 2) { fixture throws in
      try fixture.connection.run(script: Self.refusal(of: "item_name = 'cursed'", state: "22P02"))
      try fixture.detectMany(0..<300)
      try fixture.send(
        IngestionFixture.payload(oid: 9000, location: 1, detectedAt: fixture.origin, item: "cursed")
      )
      try fixture.detectMany(300..<600)
      let worker = try fixture.drain()
      #expect(worker.rejected == [150])
      let dead = try fixture.connection.execute(
        #"SELECT reason, partition, "offset", convert_from(payload, 'UTF8') FROM dead_letter"#
      )
      #expect(dead.count == 1)
      #expect(try dead.string(0, 0) == "database_rejected_22P02")
      #expect(try dead.int32(0, 1) == 0)
      #expect(try dead.int64(0, 2) == 150)
      #expect(try dead.string(0, 3).contains("cursed"))
      #expect(try fixture.violations() == [])
    }
  }

  @Test(
    "a database that refuses everything ends the worker each time it is started, and makes no dead letter of any",
    arguments: [3, 100]
  )
  func rejectsEverything(messages: Int64) async throws {
    try await IngestionFixture.with { fixture throws in
      try fixture.connection.run(script: Self.refusal(of: "true", state: "22P02"))
      for oid in 0..<messages { try fixture.detect(oid, item: "item \(oid)") }
      try fixture.flush()
      for _ in 0..<2 {
        let error = try fixture.start(fixture.options(drain: true)).error(within: 60)
        switch error as? IngestionError {
        case .tooManyRejected(let cause)?, .nothingAccepted(let cause)?:
          #expect(cause.sqlState?.rawValue == "22P02")
        default: Issue.record("\(String(describing: error))")
        }
      }
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0)
      #expect(try fixture.accounted() == 0)
      try fixture.connection.run(script: "DROP TRIGGER refuse ON item")
      try fixture.drain()
      #expect(try fixture.number("SELECT count(*) FROM detection") == messages)
      #expect(try fixture.violations() == [])
    }
  }

  @Test("a refused message with nothing behind it waits for an event that the database takes")
  func rejectedLast() async throws {
    try await IngestionFixture.with(partitions: 1) { fixture throws in
      try fixture.connection.run(script: Self.refusal(of: "item_name = 'cursed'", state: "22P02"))
      try fixture.send(
        IngestionFixture.payload(oid: 9000, location: 1, detectedAt: fixture.origin, item: "cursed")
      )
      try fixture.send([])
      try fixture.flush()
      let error = try fixture.start(fixture.options(drain: true)).error(within: 60)
      guard case .nothingAccepted? = error as? IngestionError else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(try fixture.accounted() == 0)
      try fixture.detect(1)
      try fixture.flush()
      try fixture.drain()
      #expect(
        try fixture.number("SELECT count(*) FROM dead_letter WHERE reason = 'database_rejected_22P02'") == 1
      )
      #expect(try fixture.violations() == [])
    }
  }

  @Test(
    "a refusal that is our own mistake or another class ends the worker with nothing written",
    arguments: ["23514", "42501", "XX000", "54000", "0A000", "22023"]
  )
  func ownMistake(state: String) async throws {
    try await IngestionFixture.with { fixture throws in
      try fixture.connection.run(script: Self.refusal(of: "true", state: state))
      try fixture.detect(1)
      try fixture.flush()
      let worker = fixture.start(fixture.options(drain: true))
      let error = try worker.error(within: 60)
      guard case .database(let cause)? = error as? IngestionError else {
        Issue.record("\(String(describing: error))")
        return
      }
      #expect(cause.sqlState?.rawValue == state)
      #expect(try fixture.accounted() == 0)
      #expect(try fixture.number("SELECT count(*) FROM dead_letter") == 0)
    }
  }

  private static func refusal(of condition: String, state: String) -> String {
    """
    CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$
      BEGIN
        IF EXISTS (SELECT FROM added WHERE \(condition)) THEN RAISE EXCEPTION 'no' USING ERRCODE = '\(state)'; END IF;
        RETURN NULL;
      END $$;
    CREATE TRIGGER refuse AFTER INSERT ON item REFERENCING NEW TABLE AS added
      FOR EACH STATEMENT EXECUTE FUNCTION refuse();
    """
  }
}
