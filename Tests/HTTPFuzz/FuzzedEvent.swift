import Counting

/// A message of the topic: whatever it is, it is an event, a tombstone or a dead letter, and always the same.
struct FuzzedEvent: Fuzzed {
  let bytes: [UInt8]

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    var bytes = corpus.events[random.number(0...corpus.events.count - 1)]
    random.mutate(&bytes)
    self.bytes = bytes
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    var decoder = EventDecoder(maximumBytes: random.number(0...1) == 0 ? 200 : 1 << 20)
    let first = outcome(&decoder)
    // What a decoder has read before leaves nothing behind.
    _ = [UInt8](repeating: 0x5B, count: 100).withUnsafeBytes { try? decoder.decode($0) }
    return outcome(&decoder) == first ? nil : BrokenLaw(law: "a message is always read alike", input: bytes)
  }

  private func outcome(_ decoder: inout EventDecoder) -> String {
    let message = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count, alignment: 1)
    defer { message.deallocate() }
    message.copyBytes(from: bytes)
    do throws(DecodeError) {
      let event = try decoder.decode(UnsafeRawBufferPointer(message))
      precondition(String(validating: event.itemName, as: UTF8.self) != nil, "an item's name is text")
      return "\(event.locationOid) \(event.cameraOid) \(event.detectionOid) \(event.detectedAt)"
        + " \(Array(event.itemName))"
    } catch { return "\(error)" }
  }
}
