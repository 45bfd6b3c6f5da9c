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
  @OptionGroup var kafka: KafkaOptions
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
  @Flag(
    help: .option(
      "drain",
      "Stop when every assigned partition has been read to its end and all is committed."
    )
  )
  var drain = false
  @OptionGroup var decoding: DecodingOptions
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
  @Option(
    help: .option(
      "max-cameras",
      "Cameras with counters of their own; the others share one.",
      default: "100000"
    )
  )
  var maxCameras: Int?
  @OptionGroup var logging: LogOptions

  func run() throws {
    StopSignal.listen()
    ReloadSignal.listen()
    try KafkaLibrary.requireSupported()
    let options = try options()
    let logger = try logging.logger("ingest")
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
    let topics = try EnvironmentOption.value("topics", topics) ?? "raw_camera_events"
    var options = IngestionOptions(
      database: try database.connection(for: "ingest", statementTimeoutSeconds: 30, writing: true),
      topics: topics.split(separator: ",").map(String.init),
      kafka: try kafka.configuration([
        "client.id": "topitems", "group.id": try EnvironmentOption.value("group", group) ?? "topitems",
      ])
    )
    options.version = ProductVersion.text
    options.drain = try EnvironmentOption.flag("drain", drain)
    if let policy = try EnvironmentOption.value("on-gap", onGap) { options.onGap = policy }
    if let unit = try decoding.unit() { options.timestampUnit = unit }
    if let bytes = try decoding.maximumBytes() { options.maximumMessageBytes = bytes }
    if let skew = try decoding.skewSeconds() { options.allowedSkewSeconds = skew }
    options.retention = try retention.change(readsEnvironment: true)
    try limit(&options)
    return options
  }

  private func limit(_ options: inout IngestionOptions) throws {
    options.batchMessages =
      try NumberOption.value("batch-messages", batchMessages, in: 1...1_000_000) ?? options.batchMessages
    options.batchBytes =
      try NumberOption.value("batch-bytes", batchBytes, in: 65_536...1 << 30) ?? options.batchBytes
    options.deadLetterBytes =
      try NumberOption.value("dead-letter-bytes", deadLetterBytes, in: 0...16 << 20)
      ?? options.deadLetterBytes
    options.rememberedDetections =
      try NumberOption.value("remember", remember, in: 0...1 << 28) ?? options.rememberedDetections
    options.maximumCameras =
      try NumberOption.value("max-cameras", maxCameras, in: 0...10_000_000) ?? options.maximumCameras
  }
}

extension GapPolicy: ExpressibleByArgument {}
