import ArgumentParser
import CountStore
import Counting
import JSONText
import Postgres

/// `topitems dead-letters`: messages that could not be events.
struct DeadLetters: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dead-letters",
    abstract: "Look at messages that could not be events, count them after all, or delete them.",
    discussion: """
      Each was stored with its original bytes (as many as --dead-letter-bytes of ingest allows) and a reason.

        topitems dead-letters list --reason missing_field --since 2026-11-01T00:00:00Z
        topitems dead-letters show raw_camera_events 3 18205
        topitems dead-letters replay --topic raw_camera_events
        topitems dead-letters purge --until 2026-10-01T00:00:00Z
      """,
    subcommands: [List.self, Show.self, Replay.self, Purge.self]
  )

  /// Which ones.
  struct Filter: ParsableArguments {
    @OptionGroup var origin: OriginOptions
    @Option(help: "Only with this reason, such as invalid_json.") var reason: String?
    @Option(help: "Only those stored at this time or later, RFC 3339.") var since: String?
    @Option(help: "Only those stored before this time, RFC 3339.") var until: String?

    func filter() throws -> DeadLetterFilter {
      var filter = DeadLetterFilter()
      filter.topic = origin.topic
      filter.partition = origin.partition
      filter.reason = reason
      filter.since = try Pages.time("since", since)
      filter.until = try Pages.time("until", until)
      return filter
    }
  }

  /// `topitems dead-letters list`
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List them by partition and offset.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: Filter
    @OptionGroup var list: ListOptions

    func run() throws {
      let filter = try filter.filter()
      let limit = try list.maximum()
      let connection = try Connection(
        database.connection(for: "dead-letters", statementTimeoutSeconds: 60, writing: false)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      let count = try Pages.print(
        limit: limit,
        asJSON: list.json,
        columns: [
          ("TOPIC", .left), ("PARTITION", .right), ("OFFSET", .right), ("REASON", .left), ("FIELD", .left),
          ("BYTES", .right), ("KEPT", .right), ("RECORDED AT", .left),
        ],
        next: { try store.deadLetters(filter, after: $0?.position, limit: $1) },
        cells: \.cells,
        json: \.json
      )
      if !list.json, count == limit, try store.countDeadLetters(filter) > count {
        StandardError.write("the first \(count) of \(try store.countDeadLetters(filter)); see --limit")
      } else if !list.json, count == 0 {
        StandardError.write("no dead letters")
      }
    }
  }

  /// `topitems dead-letters show`
  struct Show: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show one with its bytes.",
      discussion: """
        Text is shown with everything escaped that steers a terminal or cannot be seen; what is not UTF-8, as \
        hexadecimal numbers.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @Argument(help: "The topic.") var topic: String
    @Argument(help: "The partition's number.") var partition: Int32
    @Argument(help: "The offset in the partition.") var offset: Int64
    @Flag(help: "Write nothing but the bytes, as they are.") var raw = false
    @Flag(help: "Show the bytes as hexadecimal numbers in any case.") var hex = false

    func validate() throws {
      if raw, hex { throw ValidationError("Give either --raw or --hex, not both.") }
    }

    func run() throws {
      let connection = try Connection(
        database.connection(for: "dead-letters", statementTimeoutSeconds: 60, writing: false)
      )
      defer { connection.close() }
      let position = MessagePosition(key: PartitionKey(topic: topic, partition: partition), offset: offset)
      guard let found = try CountStore(connection).deadLetter(at: position) else {
        throw InputError(
          description: "there is no dead letter at \(SafeText.line(topic))[\(partition)] offset \(offset)"
        )
      }
      try StandardOutput.write(raw ? found.payload : Array(text(found.letter, found.payload).utf8))
    }

    private func text(_ letter: DeadLetter, _ payload: [UInt8]) -> String {
      var lines = [
        "topic:       \(SafeText.line(letter.position.key.topic))",
        "partition:   \(letter.position.key.partition)",
        "offset:      \(letter.position.offset)",
        "reason:      \(SafeText.line(letter.reason))",
      ]
      if let field = letter.field { lines.append("field:       \(SafeText.line(field))") }
      if let time = letter.messageAt { lines.append("message at:  \(time.rfc3339)") }
      lines.append("recorded at: \(letter.recordedAt.rfc3339)")
      lines.append(
        letter.isTruncated
          ? "bytes:       \(letter.payloadBytes), of which the first \(letter.keptBytes) are kept"
          : "bytes:       \(letter.payloadBytes)"
      )
      let isText = !hex && String(validating: payload, as: UTF8.self) != nil
      return lines.joined(separator: "\n") + "\n\n"
        + (isText ? SafeText.line(payload) + "\n" : SafeText.dump(payload))
    }
  }
}

extension DeadLetter {
  fileprivate var cells: [String] {
    [
      position.key.topic, "\(position.key.partition)", "\(position.offset)", reason, field ?? "",
      "\(payloadBytes)",
      isTruncated ? "\(keptBytes)" : "all", recordedAt.rfc3339,
    ]
  }

  fileprivate var json: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.position(position)
      json.name("reason")
      json.string(reason)
      json.name("field")
      if let field { json.string(field) } else { json.null() }
      json.name("payload_bytes")
      json.integer(payloadBytes)
      json.name("kept_bytes")
      json.integer(keptBytes)
      json.name("message_at")
      if let messageAt { json.string(messageAt.rfc3339) } else { json.null() }
      json.name("recorded_at")
      json.string(recordedAt.rfc3339)
    }
    return json.bytes
  }
}

extension JSONWriter {
  /// The members that name a message.
  mutating func position(_ position: MessagePosition) {
    name("topic")
    string(position.key.topic)
    name("partition")
    integer(position.key.partition)
    name("offset")
    integer(position.offset)
  }
}
