/// The cameras that are known to have a row of their own, so that a batch need not ask.
///
/// Cameras are named by messages, and anybody who can send messages can invent them: at most `limit` get a row, the
/// others are counted together.
public struct CameraRoster: Sendable {
  /// What `camera_health` holds at most, if nobody says otherwise: some 20 MB.
  public static let defaultLimit = 100_000
  /// How many unknown cameras a batch looks up when the table is known to be full.
  static let lookupsWhenFull = 1_000
  /// How many batches believe that the table is full before one looks again.
  static let batchesWhenFull = 256

  let limit: Int
  var admitted: Set<CameraKey> = []
  /// While it is above zero, there is no room.
  var fullForBatches = 0

  /// Nobody is known yet.
  public init(limit: Int = defaultLimit) {
    self.limit = limit
  }

  /// Forgets all: the database may be another one.
  public mutating func removeAll() {
    admitted.removeAll()
    fullForBatches = 0
  }
}
