/// A hash of what a detection says: two messages of one `detection_oid` that differ in it contradict each other.
///
/// It is stored, so it never changes: the words location, camera, time (µs), the name's length and its bytes in
/// little-endian words of eight (the last one filled up with zeros), one after the other, are each mixed into the
/// state by wyhash's step: the 128-bit product of both, masked by two constants, folded to its halves' exclusive or.
/// A sender can construct messages that collide; all that it gains is a conflict that is not counted.
public enum PayloadHash {
  /// "topitems"
  private static let start: UInt64 = 0x746f_7069_7465_6d73

  /// The hash of one detection.
  /// - Parameters:
  ///   - location: `geographical_location_oid`
  ///   - camera: `video_camera_oid`
  ///   - itemName: UTF-8, as it came.
  public static func of(
    location: Int64,
    camera: Int64,
    detectedAt: Timestamp,
    itemName: UnsafeRawBufferPointer
  ) -> Int64 {
    var hash = mix(start, UInt64(bitPattern: location))
    hash = mix(hash, UInt64(bitPattern: camera))
    hash = mix(hash, UInt64(bitPattern: detectedAt.microseconds))
    hash = mix(hash, UInt64(itemName.count))
    var position = 0
    while position + 8 <= itemName.count {
      let word = itemName.loadUnaligned(fromByteOffset: position, as: UInt64.self)
      hash = mix(hash, UInt64(littleEndian: word))
      position += 8
    }
    if position < itemName.count {
      var word: UInt64 = 0
      for shift in 0..<(itemName.count - position) {
        word |= UInt64(itemName[position + shift]) << (8 * UInt64(shift))
      }
      hash = mix(hash, word)
    }
    return Int64(bitPattern: hash)
  }

  private static func mix(_ a: UInt64, _ b: UInt64) -> UInt64 {
    let product = (a ^ 0x9e37_79b9_7f4a_7c15).multipliedFullWidth(by: b ^ 0xd6e8_feb8_6659_fd93)
    return product.high ^ product.low
  }
}

extension Event {
  /// See `PayloadHash`.
  public var payloadHash: Int64 {
    PayloadHash.of(location: locationOid, camera: cameraOid, detectedAt: detectedAt, itemName: itemName)
  }
}
