public import CountStore
import Counting
import Kafka
import Postgres

/// What to do when Kafka has deleted messages before they were counted (its retention is too short for the lag).
public enum GapPolicy: String, Sendable, CaseIterable {
  /// Record the lost offsets in `offset_gap`, and go on behind them.
  case `continue`
  /// Stop the partition until an operator acts.
  case halt
}

/// How a worker reads, judges and writes. The defaults suit one worker beside one PostgreSQL.
public struct IngestionOptions: Sendable {
  /// Where counts are kept.
  public var database: ConnectionOptions
  /// Topic names, or regular expressions that begin with `^`.
  public var topics: [String]
  /// Brokers, group and all other settings of librdkafka, beyond those that exactness dictates.
  public var kafka: Configuration
  /// Stop when every assigned partition has reported its end and everything before it is committed.
  public var drain = false
  /// What to do about messages that are gone before they were counted.
  public var onGap = GapPolicy.continue
  /// How far ahead of the database's clock an event may be.
  public var allowedSkewSeconds: Int64 = 300
  /// What is kept for how long, and so how far back events are accepted, in a database that has no such settings yet;
  /// afterwards the stored ones hold.
  public var retention = RetentionChange()
  /// What an integer in `timestamp_detected` means.
  public var timestampUnit = TimestampUnit.automatic
  /// The longest message that is decoded; a longer one is a dead letter.
  public var maximumMessageBytes = 1 << 20
  /// How much of a dead letter's payload is kept.
  public var deadLetterBytes = 64 << 10
  /// How many messages one transaction covers at most.
  public var batchMessages = 100_000
  /// How many bytes of names and payloads one batch holds at most (what is over it begins the next batch).
  public var batchBytes = 16 << 20
  /// How many accepted oids are remembered, to drop near duplicates without asking PostgreSQL: some 24 bytes each.
  /// While a backlog is read, partitions may be far apart, and so may be a message and its resend.
  public var rememberedDetections = 1 << 21

  /// How many cameras have counters of their own; the others share one row.
  public var maximumCameras = CountStore.defaultCameraLimit

  /// The version in the worker's heartbeat.
  public var version = ""

  /// The defaults, for these topics and this database.
  public init(database: ConnectionOptions, topics: [String], kafka: Configuration) {
    self.database = database
    self.topics = topics
    self.kafka = kafka
  }

  /// The settings on which exactness rests; they win over what the user passes through.
  func consumerConfiguration() -> Configuration {
    var configuration = kafka
    let dictated = [
      // PostgreSQL holds the offsets; Kafka's copy only feeds lag tools.
      ("enable.auto.commit", "false"), ("enable.auto.offset.store", "false"),
      // A lost position must be decided here, never reset silently.
      ("auto.offset.reset", "error"),
      ("enable.partition.eof", "true"), ("isolation.level", "read_committed"), ("check.crcs", "true"),
      ("allow.auto.create.topics", "false"),
    ]
    let defaults = [
      // With 500 ms, librdkafka's default, an event takes 120 ms to be seen, with 10 ms it takes 5.
      ("fetch.wait.max.ms", "10"), ("fetch.error.backoff.ms", "100"),
      // Once the queue below is full, librdkafka would look again only after a second.
      ("fetch.queue.backoff.ms", "10"),
      // The bound of what is fetched ahead.
      ("queued.max.messages.kbytes", "8192"), ("fetch.message.max.bytes", "4194304"),
      ("reconnect.backoff.max.ms", "1000"), ("topic.metadata.refresh.interval.ms", "10000"),
    ]
    for (name, value) in defaults where configuration[name] == nil { configuration[name] = value }
    for (name, value) in dictated { configuration[name] = value }
    return configuration
  }
}
