public import Counting

/// A message that could not be an event, as it is kept.
public struct DeadLetter: Sendable, Equatable {
  /// Where it stands in Kafka.
  public var position: MessagePosition
  /// A stable word, such as a `DecodeFailure`.
  public var reason: String
  /// The field that is wrong, if it is one.
  public var field: String?
  /// How many bytes the whole message had.
  public var payloadBytes: Int64
  /// How many of them are kept; fewer than all cannot be replayed.
  public var keptBytes: Int64
  /// Kafka's timestamp of the message, where it has one.
  public var messageAt: Timestamp?
  /// When it was stored, by the database's clock.
  public var recordedAt: Timestamp

  /// Whether its end is lost.
  public var isTruncated: Bool { keptBytes < payloadBytes }
}

/// Which dead letters are meant: those that satisfy everything that is given.
public struct DeadLetterFilter: Sendable, Equatable {
  /// The topic's name.
  public var topic: String?
  /// The partition's number.
  public var partition: Int32?
  /// The reason, whole.
  public var reason: String?
  /// Stored at this time of the database's clock or later.
  public var since: Timestamp?
  /// Stored before this time.
  public var until: Timestamp?

  /// All dead letters.
  public init() {}

  /// Whether it leaves none out.
  public var isEmpty: Bool { self == DeadLetterFilter() }
}
