import ArgumentParser
import CountStore
import Counting
import JSONText
import Postgres

/// `topitems topics`: what is stored of Kafka's topics.
struct Topics: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Look at what is stored of each topic, and forget one that is retired.",
    discussion: """
      A topic that is gone while messages of it were still to be read holds the watermark back for ever. Forget it, \
      once no worker reads it any more:

        topitems topics list
        topitems topics forget raw_camera_events_old
        topitems topics forget raw_camera_events_old --yes
      """,
    subcommands: [List.self, Forget.self]
  )

  /// `topitems topics list`
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "List partitions by topic and number, and what is kept of forgotten topics."
    )

    @OptionGroup var database: DatabaseOptions
    @Flag(help: "Print each as a line of JSON.") var json = false

    func run() throws {
      let connection = try Connection(
        database.connection(for: "topics", statementTimeoutSeconds: 60, writing: false)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      let (partitions, forgotten) = (try store.topicPartitions(), try store.forgottenTopics())
      guard !json else {
        for line in partitions.map(\.json) + forgotten.map(\.json) { try StandardOutput.write(line + [10]) }
        return
      }
      var columns: [(title: String, alignment: TextTable.Alignment)] = [("TOPIC", .left)]
      for title in [
        "PARTITION", "OFFSET", "LAG", "COUNTED", "DUPLICATE", "LATE", "FUTURE", "DEAD", "TOMBSTONE",
      ] {
        columns.append((title, .right))
      }
      columns += [("LAST MESSAGE", .left), ("HELD", .left)]
      var table = TextTable(columns)
      for partition in partitions { table.add(partition.cells) }
      for topic in forgotten { table.add(topic.cells) }
      if table.isEmpty { return StandardError.write("no topic has been read yet") }
      try StandardOutput.write(table.text)
    }
  }

  /// `topitems topics forget`
  struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Delete what is stored of a topic or partition.",
      discussion: """
        Its offsets, recorded gaps, dead letters and quarantined events are deleted for good; replay and release first \
        what is still to be counted. What was counted stays counted, its detections stay known, and its fates stay in \
        every total as one sum. Without --yes it changes nothing. It is refused while a live worker has the topic, which \
        would begin it again: take it out of --topics, or delete it in Kafka, and wait for the workers to give it up.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @Argument(help: "The topic, or one partition of it.", transform: Target.init) var target: Target
    @Flag(help: "Do it.") var yes = false

    /// `TOPIC` or `TOPIC:PARTITION`; Kafka allows no colon in a topic's name.
    struct Target {
      var topic: String
      var partition: Int32?

      init(_ text: String) throws {
        let parts = text.split(separator: ":", omittingEmptySubsequences: false)
        topic = String(parts[0])
        if parts.count == 2 { partition = Int32(parts[1]).flatMap { $0 >= 0 ? $0 : nil } }
        guard !topic.isEmpty, parts.count <= 2, parts.count == 1 || partition != nil else {
          throw ValidationError("Name a topic, or a partition of it as TOPIC:NUMBER.")
        }
      }
    }

    func run() throws {
      let connection = try Connection(
        database.connection(for: "topics", statementTimeoutSeconds: 600, writing: true)
      )
      defer { connection.close() }
      let report = try CountStore(connection)
        .forget(topic: target.topic, partition: target.partition, isConfirmed: yes)
      guard !report.isEmpty else {
        throw InputError(
          description: "nothing is stored of \(SafeText.line(target.topic)): see 'topitems topics list'"
        )
      }
      try StandardOutput.write(Self.text(report) + "\n")
      guard report.held.isEmpty else {
        let names = report.held.map { "\(SafeText.line($0.topic))[\($0.partition)]" }.joined(separator: ", ")
        throw RefusedError(description: "nothing was deleted: a live worker may have \(names)")
      }
      guard report.isDone else {
        throw RefusedError(description: "nothing was deleted: repeat it with --yes")
      }
    }

    static func text(_ report: ForgetReport) -> String {
      let did = report.isDone ? "forgot" : "would forget"
      return """
        \(did) the offsets of \(report.partitions.count) partitions, \(report.deadLetters) dead letters, \
        \(report.quarantined) quarantined events and \(report.lost) messages of gaps
        kept as a sum: \(Pages.text(report.fates))
        """
    }
  }
}

extension StoredPartition {
  fileprivate var cells: [String] {
    let (key, lag) = (standing.key, lag.map(String.init) ?? "?")
    return [key.topic, "\(key.partition)", "\(standing.nextOffset)", lag] + standing.fates.cells
      + [standing.lastMessageAt?.rfc3339 ?? "never", isHeld ? "yes" : "no"]
  }

  fileprivate var json: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("topic")
      json.string(standing.key.topic)
      json.name("partition")
      json.integer(standing.key.partition)
      json.name("next_offset")
      json.integer(standing.nextOffset)
      json.name("lag")
      if let lag = lag { json.integer(lag) } else { json.null() }
      json.fates(standing.fates)
      json.name("dead_letters_kept")
      json.integer(deadLettersKept)
      json.name("quarantined")
      json.integer(quarantined)
      json.name("last_message_at")
      if let time = standing.lastMessageAt { json.string(time.rfc3339) } else { json.null() }
      json.name("held")
      json.bool(isHeld)
    }
    return json.bytes
  }
}

extension ForgottenTopic {
  fileprivate var cells: [String] {
    [topic, "", "", ""] + fates.cells + ["forgotten \(forgottenAt.rfc3339)", ""]
  }

  fileprivate var json: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("topic")
      json.string(topic)
      json.fates(fates)
      json.name("lost")
      json.integer(lost)
      json.name("forgotten_at")
      json.string(forgottenAt.rfc3339)
    }
    return json.bytes
  }
}

extension FateCounts {
  fileprivate var cells: [String] {
    Fate.allCases.map { "\(self[$0])" }
  }
}

extension JSONWriter {
  fileprivate mutating func fates(_ fates: FateCounts) {
    name("fates")
    object { json in
      for fate in Fate.allCases {
        json.name(fate.column)
        json.integer(fates[fate])
      }
    }
  }
}
