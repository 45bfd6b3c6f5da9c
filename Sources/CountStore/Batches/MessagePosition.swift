/// The position of a message in Kafka: the key of dead letters and quarantined events.
public struct MessagePosition: Hashable, Comparable, Sendable {
  /// Its partition.
  public var key: PartitionKey
  /// Its offset there.
  public var offset: Int64

  /// Names a message.
  public init(key: PartitionKey, offset: Int64) {
    self.key = key
    self.offset = offset
  }

  /// By partition, then offset: the order in which rows are listed and locked.
  public static func < (a: MessagePosition, b: MessagePosition) -> Bool {
    a.key == b.key ? a.offset < b.offset : a.key < b.key
  }
}
