import Foundation
import Kafka
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// Messages that a worker stores as dead letters or quarantined events, and the commands for them.
  @Suite("topitems dead-letters and quarantine")
  struct QuarantineCommandTests {
    /// What a hostile camera sends: no event, and an attack on the terminal that shows it.
    private static let hostile = Array("\u{1B}]0;owned\u{7}\u{1B}[2J{\"x\":\"\u{202E}\"}\n".utf8)

    @Test("a worker's dead letter is listed, shown without a control character, and given back byte for byte")
    func hostile() throws {
      try Deployment.with { deployment in
        try deployment.produce([Self.hostile, [0xFF, 0xFE, 0x00, 0x1B], Array("{}".utf8)])
        try deployment.drain()

        let list = try deployment.run(["dead-letters", "list"])
        #expect(list.ending == .exited(0), "\(list)")
        #expect(list.output.hasPrefix("TOPIC ") && list.output.split(separator: "\n").count == 4, "\(list)")
        #expect(Self.isHarmless(list.output))
        let lines = try deployment.run(["dead-letters", "list", "--json", "--topic", deployment.topic])
        let rows = try lines.output.split(separator: "\n").map {
          try JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
        }
        #expect(
          rows.compactMap { $0?["reason"] as? String } == ["invalid_json", "invalid_utf8", "missing_field"]
        )
        #expect(rows.compactMap { $0?["field"] as? String } == ["geographical_location_oid"])

        for (offset, payload) in [(0, Self.hostile), (1, [0xFF, 0xFE, 0x00, 0x1B])] {
          let position = [deployment.topic, "0", "\(offset)"]
          let shown = try deployment.run(["dead-letters", "show"] + position)
          #expect(shown.ending == .exited(0) && Self.isHarmless(shown.output), "\(shown)")
          #expect(
            shown.output.contains(offset == 0 ? #"\x1b]0;owned\x07\x1b[2J"# : "ff fe 00 1b"),
            "\(shown)"
          )
          let raw = try deployment.bytes(["dead-letters", "show", "--raw"] + position)
          #expect(raw == payload)
        }
        let none = try deployment.run(["dead-letters", "show", deployment.topic, "0", "99"])
        #expect(none.ending == .exited(1) && none.errors.contains("there is no dead letter"), "\(none)")
      }
    }

    @Test(
      "two processes that replay at once, beside a worker that reads the same detections, count each once"
    )
    func replayedTwice() throws {
      try Deployment.with { deployment in
        // As a worker of before could not read them: the bytes are events.
        let events = (1...3000).map { Self.event(oid: Int64($0), location: $0 % 7) }
        try deployment.produce(Array(events[1000..<2000]))
        try deployment.drain()
        let connection = try deployment.connect()
        try Self.insertDeadLetters(events, deployment.topic, connection)
        try deployment.produce(Array(events[2000..<2500]))

        let worker = try deployment.worker(["--drain"], sessionMilliseconds: 2500)
        let replays = try (0..<2).map { _ in
          try ProcessRunner(["dead-letters", "replay"], environment: deployment.environment)
        }
        for replay in replays {
          let ending = try replay.wait(within: .seconds(60))
          #expect(ending == .exited(0), "\(replay.story)")
        }
        #expect(try worker.wait(within: .seconds(60)) == .exited(0), "\(worker.story)")

        let counts = try connection.execute(
          """
          SELECT (SELECT count(*) FROM detection), (SELECT sum(item_count)::bigint FROM window_count),
                 (SELECT sum(counted)::bigint FROM ingest_offset), (SELECT sum(duplicates)::bigint FROM ingest_offset),
                 (SELECT sum(dead_letters)::bigint FROM ingest_offset), (SELECT count(*) FROM dead_letter)
          """
        )
        #expect(try (0..<6).map { try counts.int64(0, $0) } == [3000, 3000, 3000, 1500, 0, 0])
      }
    }

    @Test("a replay that is killed again and again counts each once in the end")
    func killed() throws {
      try Deployment.with { deployment in
        let connection = try deployment.connect()
        try deployment.send(["first"])
        try deployment.drain()
        try Self.insertDeadLetters(
          (1...4000).map { Self.event(oid: Int64($0), location: $0 % 7) },
          deployment.topic,
          connection
        )
        func left() throws -> Int64 { try connection.execute("SELECT count(*) FROM dead_letter").int64(0, 0) }
        var kills = 0
        while try left() > 0 {
          let before = try left()
          let replay = try ProcessRunner(["dead-letters", "replay"], environment: deployment.environment)
          // Killed as soon as its first transaction is through: most likely in the middle of a later one.
          while try left() == before, replay.isRunning { usleep(500) }
          replay.signal(SIGKILL)
          if try replay.wait(within: .seconds(10)) == .killed(signal: SIGKILL) { kills += 1 }
        }
        #expect(kills > 0)
        let counts = try connection.execute(
          """
          SELECT (SELECT count(*) FROM detection), (SELECT sum(item_count)::bigint FROM window_count),
                 (SELECT sum(counted)::bigint FROM ingest_offset), (SELECT sum(dead_letters)::bigint FROM ingest_offset)
          """
        )
        #expect(try (0..<4).map { try counts.int64(0, $0) } == [4001, 4001, 4001, 0])
      }
    }

    @Test("purge needs a filter, asks nothing, and prints how many; a dry run deletes none")
    func purge() throws {
      try Deployment.with { deployment in
        try deployment.produce([[0x7B], [], Array("[]".utf8)])
        try deployment.drain()
        let unclear = try deployment.run(["dead-letters", "purge"])
        #expect(unclear.ending == .exited(2) && unclear.errors.contains("--all"), "\(unclear)")
        let both = try deployment.run(["dead-letters", "purge", "--all", "--reason", "empty"])
        #expect(both.ending == .exited(2), "\(both)")
        let dry = try deployment.run(["dead-letters", "purge", "--all", "--dry-run"])
        #expect(dry.output == "3 dead letters would be deleted (dry run)\n", "\(dry)")
        let one = try deployment.run(["dead-letters", "purge", "--reason", "empty"])
        #expect(one.output == "1 dead letters deleted\n", "\(one)")
        let all = try deployment.run(["dead-letters", "purge", "--all"])
        #expect(all.output == "2 dead letters deleted\n", "\(all)")
        let none = try deployment.run(["dead-letters", "list"])
        #expect(
          none.ending == .exited(0) && none.output.isEmpty && none.errors.contains("no dead letters"),
          "\(none)"
        )
      }
    }

    @Test("a quarantined event is listed without a control character, and released when it is due")
    func quarantine() throws {
      try Deployment.with { deployment in
        let now = Int64(Date().timeIntervalSince1970)
        try deployment.produce([
          Self.event(oid: 1, location: 1, item: #"\u001b[31m\u202e"#, at: now + 3600),
          Self.event(oid: 2, location: 1, at: now - 30 * 86_400),
        ])
        try deployment.drain()
        let list = try deployment.run(["quarantine", "list"])
        #expect(list.ending == .exited(0) && Self.isHarmless(list.output), "\(list)")
        #expect(list.output.contains(#"\x1b[31m\u{202e}"#) && list.output.contains(" future "), "\(list)")
        let early = try deployment.run(["quarantine", "release"])
        #expect(early.output == "0 of 0 events released: none\n", "\(early)")

        let connection = try deployment.connect()
        _ = try connection.execute(
          "UPDATE quarantine SET detected_at = now() - interval '1 minute' WHERE reason = 'future'"
        )
        let due = try deployment.run(["quarantine", "release"])
        #expect(due.output.hasPrefix("1 of 1 events released: 1 counted\n"), "\(due)")
        let late = try deployment.run(["quarantine", "release", "--reason", "late"])
        #expect(late.ending == .exited(2), "late ones need --late: \(late)")
      }
    }

    private static func event(oid: Int64, location: Int, item: String = "box", at seconds: Int64? = nil)
      -> [UInt8]
    {
      let seconds = seconds ?? Int64(Date().timeIntervalSince1970)
      return Array(
        #"{"geographical_location_oid":\#(location),"video_camera_oid":\#(location),"item_name":"\#(item)","#
          .utf8
      ) + Array(#""detection_oid":\#(oid),"timestamp_detected":\#(seconds)}"#.utf8)
    }

    /// As if the messages had been read into a partition that has no more of them, and found to be no events.
    private static func insertDeadLetters(_ payloads: [[UInt8]], _ topic: String, _ connection: Connection)
      throws
    {
      _ = try connection.execute(
        """
        INSERT INTO dead_letter (topic, partition, "offset", reason, payload, payload_bytes)
        SELECT \(topic), 99, n - 1, 'old', payload, octet_length(payload)
        FROM unnest(\(payloads)) WITH ORDINALITY AS message(payload, n)
        """
      )
      _ = try connection.execute(
        """
        INSERT INTO ingest_offset (topic, partition, next_offset, epoch, dead_letters)
        VALUES (\(topic), 99, \(Int64(payloads.count)), 1, \(Int64(payloads.count)))
        """
      )
    }

    private static func isHarmless(_ text: String) -> Bool {
      text.unicodeScalars.allSatisfy { scalar in
        scalar == "\n" || ![.control, .format].contains(scalar.properties.generalCategory)
      }
    }
  }
}

extension Deployment {
  /// Sends these payloads to the topic's first partition, and waits for the delivery.
  func produce(_ payloads: [[UInt8]]) throws {
    var configuration = Configuration(brokers: brokers)
    configuration["linger.ms"] = "1"
    let producer = try Producer(configuration)
    defer { producer.close(timeout: 1000) }
    for payload in payloads {
      try payload.withUnsafeBytes { try producer.produce(topic: topic, partition: 0, payload: $0) }
    }
    try producer.flush(timeout: 20_000)
    guard producer.delivered == payloads.count else {
      throw TestSupportError("the messages were not delivered")
    }
  }

  /// Runs a command on the deployment's database.
  func run(_ arguments: [String]) throws -> ProcessRunner.Finished {
    try ProcessRunner.run(arguments, environment: environment)
  }

  /// What a command writes to standard output, byte for byte.
  func bytes(_ arguments: [String]) throws -> [UInt8] {
    let file = try TemporaryFile("output")
    let binary = try ProcessRunner.binary()
    let shell = try ProcessRunner(
      "/bin/sh",
      ["-c", #"file=$1; shift; exec "$@" > "$file""#, "sh", file.path, binary] + arguments,
      environment: environment
    )
    guard try shell.wait(within: .seconds(30)) == .exited(0) else { throw TestSupportError(shell.story) }
    return [UInt8](try Data(contentsOf: URL(fileURLWithPath: file.path)))
  }
}
