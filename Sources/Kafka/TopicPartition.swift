/// One partition of a topic.
public struct TopicPartition: Hashable, Sendable, CustomStringConvertible {
  /// The topic's name.
  public var topic: String
  /// The partition's number, from 0.
  public var partition: Int32

  /// Names a partition; nothing is looked up.
  public init(topic: String, partition: Int32) {
    self.topic = topic
    self.partition = partition
  }

  /// e.g. `raw_camera_events[3]`.
  public var description: String { "\(topic)[\(partition)]" }
}

/// Logical offsets, accepted wherever a partition is assigned or sought.
public enum Offset {
  /// The log's first message (`RD_KAFKA_OFFSET_BEGINNING`).
  public static let beginning: Int64 = -2
  /// Behind the log's last message (`RD_KAFKA_OFFSET_END`).
  public static let end: Int64 = -1
  /// The group's committed offset (`RD_KAFKA_OFFSET_STORED`).
  public static let stored: Int64 = -1000
}
