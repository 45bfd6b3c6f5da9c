import Testing

@testable import Kafka

@Suite struct KafkaLibraryTests {
  @Test(
    "a librdkafka before 2.2 is refused with the reason and the way out",
    arguments: [
      (0x0200_02ff, "2.0.2", false), (0x0201_01ff, "2.1.1", false), (0x0108_02ff, "1.8.2", false),
      (0x0202_00ff, "2.2.0", true), (0x0210_01ff, "2.16.1", true), (0x0300_00ff, "3.0.0", true),
    ]
  )
  func version(number: Int, text: String, isSupported: Bool) {
    if isSupported {
      #expect(throws: Never.self) { try KafkaLibrary.check(version: Int32(number), text: text) }
    } else {
      let error = #expect(throws: KafkaError.self) {
        try KafkaLibrary.check(version: Int32(number), text: text)
      }
      #expect(error?.message.contains(text) == true)
      #expect(error?.message.contains("LD_LIBRARY_PATH") == true)
    }
  }

  @Test("the librdkafka that the tests run with is supported")
  func loaded() throws {
    try KafkaLibrary.requireSupported()
    #expect(KafkaLibrary.version.split(separator: ".").count >= 3)
  }
}
