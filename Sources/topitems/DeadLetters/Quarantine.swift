import ArgumentParser
import CountStore
import Counting
import JSONText
import Postgres

/// `topitems quarantine`: events that are quarantined because of their event time.
struct Quarantine: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "List quarantined events, and count them after all.",
    discussion: """
      A future event was further ahead of the database's clock than --allowed-skew of ingest: a camera's clock is \
      wrong. Workers count it when its time has come; 'release' does so at once. A late event is older than the \
      deduplication floor, below which the identifiers of what was counted are forgotten.

        topitems quarantine list --reason late
        topitems quarantine release
        topitems quarantine release --late
      """,
    subcommands: [List.self, Release.self]
  )

  /// Which ones.
  struct Filter: ParsableArguments {
    @OptionGroup var origin: OriginOptions
    @Option(help: "Only detected at this time or later, RFC 3339.") var since: String?
    @Option(help: "Only detected before this time, RFC 3339.") var until: String?

    func filter(reason: Fate?) throws -> QuarantineFilter {
      var filter = QuarantineFilter()
      filter.topic = origin.topic
      filter.partition = origin.partition
      filter.reason = reason
      filter.since = try Pages.time("since", since)
      filter.until = try Pages.time("until", until)
      return filter
    }
  }

  /// Why an event is quarantined.
  enum Reason: String, ExpressibleByArgument, CaseIterable {
    case late
    case future

    var fate: Fate { self == .late ? .late : .future }
  }

  /// `topitems quarantine list`
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "List them by partition and offset.")

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: Filter
    @Option(help: "Only late or only future ones.") var reason: Reason?
    @OptionGroup var list: ListOptions

    func run() throws {
      let filter = try filter.filter(reason: reason?.fate)
      let connection = try Connection(
        database.connection(for: "quarantine", statementTimeoutSeconds: 60, writing: false)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      let limit = try list.maximum()
      let count = try Pages.print(
        limit: limit,
        asJSON: list.json,
        columns: [
          ("TOPIC", .left), ("PARTITION", .right), ("OFFSET", .right), ("REASON", .left),
          ("DETECTED AT", .left),
          ("RECORDED AT", .left), ("LOCATION", .right), ("CAMERA", .right), ("DETECTION", .right),
          ("ITEM", .left),
        ],
        next: { try store.quarantinedEvents(filter, after: $0?.position, limit: $1) },
        cells: \.cells,
        json: \.json
      )
      if !list.json, count == limit { StandardError.write("there may be more than \(count); see --limit") }
      if !list.json, count == 0 { StandardError.write("the quarantine is empty") }
    }
  }

  /// `topitems quarantine release`
  struct Release: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Count those whose time has come, exactly once.",
      discussion: """
        With --late also late ones, as far as it is certain that they count at most once: they are newer than every \
        event whose identifier has been purged ('topitems floor show' says until when). --force-late counts the \
        others all the same; one that was counted long ago, and whose identifier is purged, then counts a second \
        time. Either way an identifier that is still known makes it a duplicate.
        """
    )

    @OptionGroup var database: DatabaseOptions
    @OptionGroup var filter: Filter
    @Option(help: "How many at most.") var limit: Int?
    @Flag(help: "Also late ones that certainly count only once.") var late = false
    @Flag(help: "Also late ones that may have been counted before.") var forceLate = false

    func run() throws {
      let filter = try filter.filter(reason: nil)
      let limit = try Pages.limit(limit) ?? .max
      let connection = try Connection(
        database.connection(for: "quarantine", statementTimeoutSeconds: 60, writing: true)
      )
      defer { connection.close() }
      let store = CountStore(connection)
      var report = ReleaseReport()
      do {
        repeat {
          report += try Pages.retrying { () throws(PostgresError) in
            try store.releaseQuarantine(
              filter,
              after: report.last,
              limit: limit - report.examined,
              late: forceLate ? .forced : late ? .certain : .none
            )
          }
        } while report.last != nil && report.examined < limit
      } catch {
        StandardError.write(Self.text(report))
        throw error
      }
      try StandardOutput.write(Self.text(report) + "\n")
    }

    static func text(_ report: ReleaseReport) -> String {
      var lines = [
        "\(report.readmitted.fates.total) of \(report.examined) events released: \(Pages.text(report.readmitted.fates))"
      ]
      if report.uncertain > 0 {
        lines.append("\(report.uncertain) late ones may have been counted before and stay; see --force-late")
      }
      if report.refused > 0 {
        lines.append(
          "\(report.refused) stay because PostgreSQL refuses them: their time may be older than any kept"
        )
      }
      return (lines + Pages.notes(report.readmitted)).joined(separator: "\n")
    }
  }
}

extension QuarantinedEvent {
  fileprivate var cells: [String] {
    [
      position.key.topic, "\(position.key.partition)", "\(position.offset)", reason.rawValue,
      detectedAt.rfc3339,
      recordedAt.rfc3339, "\(location)", "\(camera)", "\(oid)", itemName,
    ]
  }

  /// Identifiers as strings: many readers of JSON lose the last digits of large numbers.
  fileprivate var json: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.position(position)
      json.name("reason")
      json.string(reason.rawValue)
      json.name("detected_at")
      json.string(detectedAt.rfc3339)
      json.name("recorded_at")
      json.string(recordedAt.rfc3339)
      json.name("geographical_location_oid")
      json.quotedInteger(location)
      json.name("video_camera_oid")
      json.quotedInteger(camera)
      json.name("detection_oid")
      json.quotedInteger(oid)
      json.name("item_name")
      json.string(itemName)
    }
    return json.bytes
  }
}
