import CountStore

/// Puts detections into the order of their oids by a radix sort: four times as fast as comparing them, and sorting is
/// what the reading thread does most besides decoding.
enum OidOrder {
  /// Digits of 11 bits: six passes, each with counters that fit into the first-level cache.
  private static let bits: UInt64 = 11
  private static let buckets = 1 << 11

  /// Stable: of two detections with one oid the earlier stays the first.
  static func sort(_ detections: inout [Batch.Detection]) {
    guard !isSorted(detections) else { return }
    var keys = [Key](unsafeUninitializedCapacity: detections.count) { buffer, count in
      for (position, detection) in detections.enumerated() {
        // With the sign turned over, unsigned order is the order of signed numbers.
        let ordered = UInt64(bitPattern: detection.oid) ^ 1 << 63
        buffer.initializeElement(at: position, to: Key(ordered: ordered, position: Int32(position)))
      }
      count = detections.count
    }
    var other = keys
    var shift: UInt64 = 0
    while shift < 64 {
      if distribute(keys, into: &other, shift: shift) { swap(&keys, &other) }
      shift += bits
    }
    detections = keys.map { detections[Int($0.position)] }
  }

  private struct Key {
    var ordered: UInt64
    var position: Int32
  }

  private static func isSorted(_ detections: [Batch.Detection]) -> Bool {
    for position in detections.indices.dropFirst()
    where detections[position - 1].oid > detections[position].oid {
      return false
    }
    return true
  }

  /// One pass, by one digit.
  /// - Returns: false when all keys share the digit, so that nothing was written.
  private static func distribute(_ keys: [Key], into sorted: inout [Key], shift: UInt64) -> Bool {
    withUnsafeTemporaryAllocation(of: Int.self, capacity: buckets) { next in
      next.initialize(repeating: 0)
      for key in keys { next[digit(key, shift)] += 1 }
      if let first = keys.first, next[digit(first, shift)] == keys.count { return false }
      var start = 0
      for bucket in next.indices {
        let count = next[bucket]
        next[bucket] = start
        start += count
      }
      sorted.withUnsafeMutableBufferPointer { sorted in
        for key in keys {
          let bucket = digit(key, shift)
          sorted[next[bucket]] = key
          next[bucket] += 1
        }
      }
      return true
    }
  }

  private static func digit(_ key: Key, _ shift: UInt64) -> Int {
    Int(truncatingIfNeeded: key.ordered >> shift) & (buckets - 1)
  }
}
