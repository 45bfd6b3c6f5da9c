/// One detection: a camera saw an item.
///
/// It borrows the item's name from the decoder that made it: valid until that decoder's next `decode` or its end.
public struct Event {
  /// `geographical_location_oid`: where the camera stands.
  public var locationOid: Int64
  /// `video_camera_oid`
  public var cameraOid: Int64
  /// `detection_oid`: what makes a detection the same as another; it counts once.
  public var detectionOid: Int64
  /// `timestamp_detected`
  public var detectedAt: Timestamp
  /// `item_name`: well-formed UTF-8 that satisfies `ItemName`, not normalised: two items are the same if their
  /// bytes are.
  public var itemName: UnsafeRawBufferPointer

  /// An event of the given parts, borrowing the name.
  public init(
    locationOid: Int64,
    cameraOid: Int64,
    detectionOid: Int64,
    detectedAt: Timestamp,
    itemName: UnsafeRawBufferPointer
  ) {
    self.locationOid = locationOid
    self.cameraOid = cameraOid
    self.detectionOid = detectionOid
    self.detectedAt = detectedAt
    self.itemName = itemName
  }

  /// The required fields of a message, named as in its JSON.
  public enum Field: String, Sendable, CaseIterable {
    /// An integer of 64 bits.
    case locationOid = "geographical_location_oid"
    /// An integer of 64 bits.
    case cameraOid = "video_camera_oid"
    /// An integer of 64 bits.
    case detectionOid = "detection_oid"
    /// A string; see `ItemName`.
    case itemName = "item_name"
    /// An integer (see `TimestampUnit`) or an RFC 3339 string.
    case detectedAt = "timestamp_detected"
  }
}
