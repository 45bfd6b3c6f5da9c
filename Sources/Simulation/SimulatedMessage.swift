import Counting

/// One message to send.
public struct SimulatedMessage: Sendable, Equatable {
  /// What must become of it.
  public let fate: Fate
  /// The number of the location it comes from, 0 for the first.
  public let location: Int
  /// The partition it strays to; `nil` for the one that its key belongs to.
  public let partition: Int32?
  /// The location's identifier in decimal digits: all of a location's first sends share a partition.
  public let key: [UInt8]
  /// The payload; `nil` for a tombstone. An empty payload is none.
  public let payload: [UInt8]?
}
