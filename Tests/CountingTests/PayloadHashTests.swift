import Testing

@testable import Counting

@Suite("The hash of what a detection says")
struct PayloadHashTests {
  private func hash(_ location: Int64, _ camera: Int64, _ microseconds: Int64, _ name: String) -> Int64 {
    Array(name.utf8).withUnsafeBytes {
      PayloadHash.of(
        location: location,
        camera: camera,
        detectedAt: Timestamp(microseconds: microseconds),
        itemName: $0
      )
    }
  }

  @Test("is stored, so these values never change")
  func stable() {
    #expect(hash(0, 0, 0, "") == 8_047_230_946_762_145_388)
    #expect(hash(42, 420_001, 1_793_577_600_000_000, "forklift") == -5_128_026_801_808_204_064)
    #expect(hash(.min, .max, -1, "a name that is longer than a word") == 8_658_482_525_894_186_609)
  }

  @Test("differs when one thing differs, names that share a beginning or are filled up with zeros among them")
  func differences() {
    var seen: Set<Int64> = []
    let names = ["", "a", "b", "ab", "a\u{0}", "a\u{0}\u{0}", "12345678", "123456789", "e\u{301}", "\u{e9}"]
    for location: Int64 in [0, 1, -1, .max] {
      for camera: Int64 in [0, 1, 2] {
        for time: Int64 in [0, 1, 60_000_000] {
          for name in names { seen.insert(hash(location, camera, time, name)) }
        }
      }
    }
    #expect(seen.count == 4 * 3 * 3 * names.count)
  }

  @Test("is that of an event, wherever its name lies in memory")
  func unaligned() throws {
    let bytes = Array("xforklift with a long name".utf8)
    let event = bytes.withUnsafeBytes { bytes in
      Event(
        locationOid: 1,
        cameraOid: 2,
        detectionOid: 3,
        detectedAt: Timestamp(microseconds: 4),
        itemName: UnsafeRawBufferPointer(rebasing: bytes.dropFirst())
      ).payloadHash
    }
    #expect(event == hash(1, 2, 4, "forklift with a long name"))
  }
}
