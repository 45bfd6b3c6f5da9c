import Counting
import Foundation
import TestSupport
import Testing

@Suite("Laws of the decoder")
struct DecoderPropertyTests {
  @Test("what was encoded is decoded, however it was written", arguments: 0..<4 as Range<UInt64>)
  func roundTrip(seed: UInt64) throws {
    var random = SeededGenerator(seed: seed)
    var decoder = EventDecoder()
    for _ in 0..<2_000 {
      let detection = Detection.any(using: &random)
      #expect(try decoder.detection(MessageText.plain(detection)) == detection)
      #expect(try decoder.detection(MessageText.any(detection, using: &random)) == detection)
    }
  }

  @Test("every truncation of a good message is a dead letter")
  func truncations() {
    var random = SeededGenerator(seed: 5)
    var decoder = EventDecoder()
    for _ in 0..<100 {
      let message = MessageText.any(.any(using: &random), using: &random)
      let end = message.lastIndex(of: UInt8(ascii: "}")) ?? 0
      for length in 0...end {
        let reason = decoder.error(Array(message[..<length]))?.reason
        #expect(reason == .invalidJSON || reason == .invalidUTF8 || (reason == .empty && length < 10))
      }
      #expect(decoder.error(message) == nil)
    }
  }

  @Test("bytes changed at random never trap, and what is still read means the same to another parser")
  func mutations() throws {
    var random = SeededGenerator(seed: 6)
    var decoder = EventDecoder()
    var read = 0
    for _ in 0..<30_000 {
      var message = MessageText.any(.any(using: &random), using: &random)
      for _ in 0..<Int.random(in: 1...3, using: &random) { mutate(&message, using: &random) }
      guard case .success(let detection) = decoder.result(message) else { continue }
      read += 1
      #expect(
        try decoder.detection(MessageText.any(detection, using: &random)).itemName == detection.itemName
      )
      let text = String(decoding: message, as: UTF8.self)
      let object = try #require(
        try JSONSerialization.jsonObject(with: Data(message)) as? [String: Any],
        "\(text)"
      )
      #expect((object["geographical_location_oid"] as? NSNumber)?.int64Value == detection.locationOid)
      #expect((object["video_camera_oid"] as? NSNumber)?.int64Value == detection.cameraOid)
      #expect((object["detection_oid"] as? NSNumber)?.int64Value == detection.detectionOid)
      // Foundation takes U+FEFF after an escape for a byte order mark and drops it.
      let name = (object["item_name"] as? String)?.unicodeScalars.filter { $0 != "\u{FEFF}" }
      let expected = String(decoding: detection.itemName, as: UTF8.self).unicodeScalars
      #expect(name.map(Array.init) == expected.filter { $0 != "\u{FEFF}" })
    }
    // Many changes are harmless; if none were read, or all, this would test nothing.
    #expect((1_000...25_000).contains(read))
  }

  @Test("random bytes are dead letters")
  func noise() {
    var random = SeededGenerator(seed: 7)
    var decoder = EventDecoder()
    let alphabet = Array("{}[]\":,\\u019-+.eE tfn\"".utf8) + [0x00, 0x80, 0xC3, 0xED, 0xFF]
    for _ in 0..<30_000 {
      let noise = (0..<Int.random(in: 0...150, using: &random)).map { _ in
        alphabet[Int.random(in: alphabet.indices, using: &random)]
      }
      #expect(decoder.error(noise) != nil)
    }
  }

  @Test("a decoder that failed answers as a fresh one does")
  func noStateLeaks() throws {
    var random = SeededGenerator(seed: 8)
    var shared = EventDecoder()
    for _ in 0..<3_000 {
      var bad = MessageText.any(.any(using: &random), using: &random)
      bad.removeLast(Int.random(in: 0...bad.count, using: &random))
      mutate(&bad, using: &random)
      var fresh = EventDecoder()
      #expect(shared.result(bad) == fresh.result(bad))
      // A message that lacks a field must not be given the one of a message before.
      #expect(shared.error(Array("{\"item_name\":\"x\"}".utf8)) == DecodeError(.missingField, .locationOid))
      let good = Detection.any(using: &random)
      #expect(try shared.detection(MessageText.plain(good)) == good)
    }
  }

  private func mutate(_ message: inout [UInt8], using random: inout SeededGenerator) {
    let at = Int.random(in: 0...message.count, using: &random)
    let common = Array("{}[]\":,\\0123456789-.eEun ".utf8)
    let byte =
      Bool.random(using: &random)
      ? UInt8.random(in: 0...255, using: &random) : common[Int.random(in: common.indices, using: &random)]
    if at == message.count || Int.random(in: 0..<3, using: &random) == 0 {
      message.insert(byte, at: at)
    } else if Bool.random(using: &random) {
      message[at] = byte
    } else {
      message.remove(at: at)
    }
  }
}

extension EventDecoder {
  fileprivate mutating func result(_ message: [UInt8]) -> Result<Detection, DecodeError> {
    do throws(DecodeError) {
      return .success(try detection(message))
    } catch {
      return .failure(error)
    }
  }
}
