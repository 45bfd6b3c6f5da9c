import ArgumentParser
import Counting
import Glibc
import Kafka
import Simulation

/// `topitems simulate`: cameras that produce believable traffic to Kafka, and know what must be counted of it.
struct Simulate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Simulate cameras that send events to Kafka.",
    discussion: """
      Locations see items with a Zipf-distributed frequency; which ones are frequent differs from location to \
      location and drifts. Some messages are sent again, come late or too early, or are no events at all, in the \
      shares that you give (0.1 is a tenth of all messages). The stream is decided by the options, the seed and the \
      start time alone: the same ones make the same messages, byte for byte. Event times follow the rate, from the \
      start time on. With --rate 0 they lie before the start time: a backlog, as if sent at 2,000 a second.

      Messages wait up to 100 ms to be sent together, as at a gateway of cameras; --kafka linger.ms=0 sends each at once.

        topitems simulate --rate 5000 --duplicates 0.1 --late 0.01
        topitems simulate --rate 0 --count 1000000 --seed 1 --truth truth.ndjson

      SIGINT and SIGTERM end the stream in good order, with the truth written; a second one ends at once. The exit \
      status is 0 only if every message was acknowledged.

      Memory: 6.4 MB for the last 200,000 events, 4 bytes for each location and item, and about 75 bytes for each \
      line of the truth: it grows with the time that is simulated.
      """
  )

  @OptionGroup var kafka: KafkaOptions
  @Option(
    name: [.long, .customLong("topic")],
    help: .option(
      "topics",
      "The topics, separated by commas; several take turns by location.",
      default: "raw_camera_events"
    )
  )
  var topics: String?
  @Option(
    help: .option("partitions", "Partitions that resends stray to.", default: "as many as the topic has")
  )
  var partitions: Int32?

  @Option(help: .option("rate", "Messages a second; 0 for as fast as possible.", default: "2000"))
  var rate: Double?
  @Option(help: .option("count", "Messages to send in all, whatever becomes of them.", default: "no end"))
  var count: Int?
  @Option(help: .option("truth", "File to write the exact counts to; an existing one is removed first."))
  var truth: String?

  @Option(help: .option("locations", "Locations, numbered from 1.", default: "20"))
  var locations: Int?
  @Option(help: .option("cameras", "Cameras at each location.", default: "5"))
  var cameras: Int?
  @Option(help: .option("items", "Different item names.", default: "200"))
  var items: Int?
  @Option(help: .option("zipf", "Exponent of the items' Zipf distribution.", default: "1.1"))
  var zipf: Double?
  @Option(
    help: .option("drift", "Seconds between two changes in a location's ranking; 0 for none.", default: "2")
  )
  var drift: Double?
  @Option(help: .option("jitter", "Seconds that an event may take to become a message.", default: "3"))
  var jitter: Double?

  @Option(
    help: .option(
      "duplicates",
      "Share of resends of counted messages, half through any partition.",
      default: "0.1"
    )
  )
  var duplicates: Double?
  @Option(help: .option("late", "Share of late events.", default: "0"))
  var late: Double?
  @Option(help: .option("late-behind", "How late they are at least, ISO 8601.", default: "P8D"))
  var lateBehind: String?
  @Option(help: .option("future", "Share of events ahead of their time.", default: "0"))
  var future: Double?
  @Option(help: .option("future-ahead", "How far ahead they are at least, ISO 8601.", default: "PT1H"))
  var futureAhead: String?
  @Option(help: .option("malformed", "Share of messages that are no events.", default: "0"))
  var malformed: Double?
  @Option(help: .option("tombstones", "Share of messages without a payload.", default: "0"))
  var tombstones: Double?

  @Option(
    help: .option(
      "seed",
      "Decides what is left to chance, also the identifiers.",
      default: "a new one each time"
    )
  )
  var seed: UInt64?
  @Option(help: .option("start-time", "The time at the start, RFC 3339.", default: "now"))
  var startTime: String?
  @Option(help: .option("oids", "Order of the identifiers: random or ascending.", default: "random"))
  var oids: Scenario.OidOrder?

  func run() throws {
    StopSignal.listen()
    let topics = try EnvironmentOption.value("topics", topics) ?? "raw_camera_events"
    let rate = try EnvironmentOption.value("rate", rate) ?? 2_000
    let count = try EnvironmentOption.value("count", count)
    if let count, count < 0 { throw ValidationError("--count must not be negative.") }
    var scenario = try scenario(rate: rate, count: count)
    let truthFile = try EnvironmentOption.value("truth", truth).map { try AtomicFile(replacing: $0) }

    let sender = try MessageSender(
      kafka.configuration(MessageSender.settings),
      topics: topics.split(separator: ",").map(String.init)
    )
    if try EnvironmentOption.value("partitions", partitions) == nil {
      scenario.partitions = try sender.partitions()
    }
    Progress.report("seed \(scenario.seed), start \(scenario.start), \(scenario.partitions) partitions")
    let truth = try sender.send(CameraStream(scenario), rate: rate, count: count ?? .max)
    try truthFile?.write { append throws(FileError) in try truth.write(append) }
  }
}

extension Scenario.OidOrder: ExpressibleByArgument {}
