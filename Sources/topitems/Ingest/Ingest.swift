import ArgumentParser
import CountStore
import Counting
import HTTPServer
import Ingestion
import Kafka
import Logging
import Sockets

/// `topitems ingest`: the worker.
struct Ingest: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Count the detections that come through Kafka.",
    discussion: """
      Any number of workers may share the work as one consumer group; Kafka divides the partitions among them. The \
      offsets live in PostgreSQL, in the same transaction as the counts, so a worker may be killed at any moment.

        topitems ingest
        topitems ingest --topics '^raw_camera_events_.*'         one topic per location
        topitems ingest --drain                                  stop when all is counted
        topitems ingest --kafka security.protocol=SASL_SSL …     any setting of librdkafka

      SIGTERM and SIGINT end it within 10 seconds, with nothing lost. SIGHUP does not end it.
      """
  )

  @OptionGroup var database: DatabaseOptions
  @Option(help: .option("brokers", "Where Kafka is: host:port, several separated by commas."))
  var brokers: String?
  @Option(
    help: .option(
      "topics",
      "Topics, separated by commas; one that begins with ^ is a regular expression.",
      default: "raw_camera_events"
    )
  )
  var topics: String?
  @Option(help: .option("group", "The consumer group.", default: "topitems"))
  var group: String?
  @Option(
    help: .option("kafka", "A setting for librdkafka, name=value; may be repeated.", valueName: "name=value")
  )
  var kafka: [String] = []
  @Flag(
    help: .option(
      "drain",
      "Stop when every assigned partition has been read to its end and all is committed."
    )
  )
  var drain = false
  @Option(
    help: .option(
      "timestamp-unit",
      "What an integer in timestamp_detected is: automatic, seconds, milliseconds or microseconds.",
      default: "automatic"
    )
  )
  var timestampUnit: TimestampUnit?
  @Option(
    help: .option("allowed-skew", "How far ahead of the database's clock an event may be.", default: "PT5M")
  )
  var allowedSkew: String?
  @OptionGroup var retention: RetentionOptions
  @Option(
    help: .option(
      "on-gap",
      "When Kafka has deleted messages before they were counted: continue (the loss is recorded) or halt.",
      default: "continue"
    )
  )
  var onGap: GapPolicy?
  @Option(help: .option("batch-messages", "Messages in one transaction at most.", default: "100000"))
  var batchMessages: Int?
  @Option(
    help: .option(
      "batch-bytes",
      "Bytes of names and payloads in one transaction, about.",
      default: "16777216"
    )
  )
  var batchBytes: Int?
  @Option(help: .option("max-message-bytes", "A longer message is a dead letter.", default: "1048576"))
  var maxMessageBytes: Int?
  @Option(
    help: .option("dead-letter-bytes", "How much of a dead letter's payload is kept.", default: "65536")
  )
  var deadLetterBytes: Int?
  @Option(
    help: .option(
      "remember",
      "Detections remembered to drop near duplicates early (24 bytes each).",
      default: "2097152"
    )
  )
  var remember: Int?
  @Option(
    help: .option(
      "metrics-listen",
      "Where /metrics (Prometheus), /healthz and /readyz are answered, such as 127.0.0.1:9090.",
      default: "nowhere"
    )
  )
  var metricsListen: String?
  @Option(help: .option("log-format", "text or json (one object a line).", default: "text"))
  var logFormat: LogFormat?
  @Option(
    help: .option(
      "max-cameras",
      "Cameras with counters of their own; the others share one.",
      default: "100000"
    )
  )
  var maxCameras: Int?
  @Option(
    help: .option("log-level", "trace, debug, info, notice, warning, error or critical.", default: "info")
  )
  var logLevel: Logger.Level?

  func run() throws {
    StopSignal.listen()
    ReloadSignal.listen()
    try KafkaLibrary.requireSupported()
    let options = try options()
    let logger = try CommandLog.logger(
      "ingest",
      level: EnvironmentOption.value("log-level", logLevel),
      format: EnvironmentOption.value("log-format", logFormat)
    )
    logger.info("counting \(options.topics.joined(separator: ", ")) with librdkafka \(KafkaLibrary.version)")
    let log = IngestionLog(logger)
    let listener = MetricsListener()
    let server = try metricsAddress().map { try listener.start(at: $0) }
    defer { server?.stop(deadline: .seconds(1)) }
    if let server { logger.info("metrics and probes are at http://\(server.boundAddress)") }
    let worker = IngestionWorker(
      options,
      isStopping: {
        // A worker has nothing to read again: it takes its settings when it starts.
        if ReloadSignal.take() {
          logger.notice("SIGHUP ignored: to apply other settings, start the worker again")
        }
        return StopSignal.isRequested
      },
      observe: {
        log.observe($0)
        listener.observe($0)
      }
    )
    _ = try worker.run()
  }

  private func metricsAddress() throws -> SocketAddress? {
    guard let text = try EnvironmentOption.value("metrics-listen", metricsListen) else { return nil }
    guard let address = SocketAddress(text) else {
      throw ValidationError("--metrics-listen must be an address and a port, such as 127.0.0.1:9090.")
    }
    return address
  }

  private func options() throws -> IngestionOptions {
    var configuration = Configuration(brokers: try EnvironmentOption.required("brokers", brokers))
    configuration["client.id"] = "topitems"
    configuration["group.id"] = try EnvironmentOption.value("group", group) ?? "topitems"
    try configuration.add(EnvironmentOption.values("kafka", kafka))

    let topics = try EnvironmentOption.value("topics", topics) ?? "raw_camera_events"
    var options = IngestionOptions(
      database: try database.connection(for: "ingest", statementTimeoutSeconds: 30, writing: true),
      topics: topics.split(separator: ",").map(String.init),
      kafka: configuration
    )
    options.version = ProductVersion.text
    options.drain = try EnvironmentOption.flag("drain", drain)
    if let unit = try EnvironmentOption.value("timestamp-unit", timestampUnit) {
      options.timestampUnit = unit
    }
    if let policy = try EnvironmentOption.value("on-gap", onGap) { options.onGap = policy }
    if let skew = try EnvironmentOption.value("allowed-skew", allowedSkew) {
      options.allowedSkewSeconds = try DurationOption.seconds(skew, "allowed-skew", atMost: 366 * 86_400)
    }
    options.retention = try retention.change(readsEnvironment: true)
    options.batchMessages =
      try NumberOption.value("batch-messages", batchMessages, in: 1...1_000_000) ?? options.batchMessages
    options.batchBytes =
      try NumberOption.value("batch-bytes", batchBytes, in: 65_536...1 << 30) ?? options.batchBytes
    options.maximumMessageBytes =
      try NumberOption.value("max-message-bytes", maxMessageBytes, in: 128...64 << 20)
      ?? options.maximumMessageBytes
    options.deadLetterBytes =
      try NumberOption.value("dead-letter-bytes", deadLetterBytes, in: 0...16 << 20)
      ?? options.deadLetterBytes
    options.rememberedDetections =
      try NumberOption.value("remember", remember, in: 0...1 << 28) ?? options.rememberedDetections
    options.maximumCameras =
      try NumberOption.value("max-cameras", maxCameras, in: 0...10_000_000) ?? options.maximumCameras
    return options
  }
}

extension GapPolicy: ExpressibleByArgument {}
extension TimestampUnit: ExpressibleByArgument {}
extension Logger.Level: @retroactive ExpressibleByArgument {}
