import Counting
import TestSupport
import Testing

@Suite("Good messages")
struct EventDecoderTests {
  @Test("a message becomes an event")
  func plain() throws {
    let event = try decode(
      """
      {"geographical_location_oid": 12, "video_camera_oid": -7, "detection_oid": 9223372036854775807,
       "item_name": "caf\\u00e9 \\ud83d\\ude00\\n\\"", "timestamp_detected": 1793491200}
      """
    )
    #expect(
      event
        == Detection(
          locationOid: 12,
          cameraOid: -7,
          detectionOid: .max,
          detectedAt: Timestamp(microseconds: 1_793_491_200_000_000),
          itemName: Array("café 😀\n\"".utf8)
        )
    )
  }

  @Test(
    "timestamp and unknown fields are ignored, whatever their type, wherever they are, repeated or not",
    arguments: [
      "null", "true", "\"x\"", "-0.5e-3", "18446744073709551615", "[]", "{}", "[1,{\"detection_oid\":\"x\"}]",
      "{\"item_name\":null,\"item_name\":1}", "\"\\u0000\"",
    ]
  )
  func unknownFields(value: String) throws {
    for name in ["timestamp", "x", "", "Item_Name", "item_name ", "detection_oid\\u0000", "\\ud83d\\ude00"] {
      let member = "\"\(name)\":\(value)"
      for insertion in [Array("\(member),".utf8), Array("\(member),\(member),".utf8)] {
        var message = MessageText.plain(Detection())
        message.insert(contentsOf: insertion, at: 1)
        #expect(try decode(message) == Detection())
      }
      var last = MessageText.plain(Detection())
      last.insert(contentsOf: Array(",\(member)".utf8), at: last.count - 1)
      #expect(try decode(last) == Detection())
    }
  }

  @Test("composed and decomposed names are different bytes and stay so")
  func noNormalisation() throws {
    for name in ["\u{E9}", "e\u{301}", "\u{FEFF}x", "\u{212B}"] {
      let event = try decode(MessageText.plain(with: [("item_name", "\"\(name)\"")]))
      #expect(event.itemName == Array(name.utf8))
    }
  }

  @Test(
    "an integer is seconds, milliseconds or microseconds by its magnitude",
    arguments: [
      ("0", 0), ("-0", 0), ("1", 1_000_000), ("-1", -1_000_000), ("1793491200", 1_793_491_200_000_000),
      ("99999999999", 99_999_999_999_000_000), ("-99999999999", -99_999_999_999_000_000),
      ("100000000000", 100_000_000_000_000), ("-100000000000", -100_000_000_000_000),
      ("1793491200123", 1_793_491_200_123_000), ("99999999999999", 99_999_999_999_999_000),
      ("100000000000000", 100_000_000_000_000), ("1793491200123456", 1_793_491_200_123_456),
      ("99999999999999999", 99_999_999_999_999_999), ("-99999999999999999", -99_999_999_999_999_999),
      ("100000000000000000", nil), ("-100000000000000000", nil), ("9223372036854775807", nil),
      ("-9223372036854775808", nil), ("9223372036854775808", nil), ("18446744073709551615", nil),
      ("18446744073709551616", nil), ("-9223372036854775809", nil), ("123456789012345678901234567890", nil),
    ] as [(String, Int64?)]
  )
  func automaticUnit(json: String, microseconds: Int64?) throws {
    try expectTimestamp(json, unit: .automatic, microseconds)
  }

  @Test(
    "a configured unit holds for every magnitude, in the years 0000 to 9999",
    arguments: [
      (.seconds, "100000000000", 100_000_000_000_000_000),
      (.seconds, "253402300799", 253_402_300_799_000_000),
      (.seconds, "253402300800", nil), (.seconds, "-62167219200", -62_167_219_200_000_000),
      (.seconds, "-62167219201", nil), (.seconds, "9223372036855", nil),
      (.seconds, "9223372036854775807", nil),
      (.seconds, "-9223372036854775808", nil), (.milliseconds, "1", 1_000), (.milliseconds, "-1", -1_000),
      (.milliseconds, "253402300799999", 253_402_300_799_999_000), (.milliseconds, "253402300800000", nil),
      (.milliseconds, "9223372036854775807", nil), (.microseconds, "1", 1),
      (.microseconds, "253402300799999999", 253_402_300_799_999_999),
      (.microseconds, "253402300800000000", nil),
      (.microseconds, "-62167219200000001", nil), (.microseconds, "9223372036854775807", nil),
    ] as [(TimestampUnit, String, Int64?)]
  )
  func configuredUnit(unit: TimestampUnit, json: String, microseconds: Int64?) throws {
    try expectTimestamp(json, unit: unit, microseconds)
  }

  @Test("an RFC 3339 string is a timestamp in every unit, also with escapes")
  func textualTimestamp() throws {
    for unit in TimestampUnit.allCases {
      for text in ["2026-11-01T00:00:00Z", "2026-11-01T05:30:00.0+05:30", "2026\\u002d11-01T00:00:00\\u005A"]
      {
        let message = MessageText.plain(with: [("timestamp_detected", "\"\(text)\"")])
        #expect(try decode(message, timestampUnit: unit) == Detection())
      }
    }
  }

  @Test("the longest name and the longest message are read, one byte more is not")
  func limits() throws {
    let longest = String(repeating: "😀", count: 5_000)
    #expect(
      try decode(MessageText.plain(with: [("item_name", "\"\(longest)\"")])).itemName == Array(longest.utf8)
    )

    let message = MessageText.plain(Detection())
    #expect(try decode(message, maximumBytes: message.count) == Detection())
    #expect(throws: DecodeError(.tooLarge)) { try decode(message, maximumBytes: message.count - 1) }
    let padded = message + Array(repeating: UInt8(ascii: " "), count: (1 << 20) - message.count)
    #expect(try decode(padded) == Detection())
    #expect(throws: DecodeError(.tooLarge)) { try decode(padded + [0x20]) }
  }

  @Test("messages of growing and shrinking length go through one decoder")
  func growth() throws {
    var decoder = EventDecoder(maximumBytes: 100_000)
    var random = SeededGenerator(seed: 4)
    for index in 0..<400 {
      var message = MessageText.plain(Detection(detectionOid: Int64(index)))
      let length = min(
        Int.random(in: 0...300, using: &random) * Int.random(in: 0...index, using: &random),
        99_000
      )
      message += Array(repeating: UInt8(ascii: "\n"), count: length)
      #expect(try decoder.detection(message) == Detection(detectionOid: Int64(index)))
    }
  }

  private func expectTimestamp(_ json: String, unit: TimestampUnit, _ microseconds: Int64?) throws {
    let message = MessageText.plain(with: [("timestamp_detected", json)])
    if let microseconds {
      #expect(try decode(message, timestampUnit: unit).detectedAt.microseconds == microseconds)
    } else {
      #expect(throws: DecodeError(.timestampOutOfRange, .detectedAt)) {
        try decode(message, timestampUnit: unit)
      }
    }
  }
}
