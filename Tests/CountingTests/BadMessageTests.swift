import Counting
import Testing

@Suite("Bad messages")
struct BadMessageTests {
  @Test(
    "a message that is not one JSON object has its reason",
    arguments: [
      (.empty, ""), (.empty, " \n\t\r"),
      (.invalidJSON, "{"), (.invalidJSON, "}"), (.invalidJSON, "{]"), (.invalidJSON, "nul"),
      (.invalidJSON, "x"),
      (.invalidJSON, "NaN"), (.invalidJSON, "{\"x\":NaN}"), (.invalidJSON, "{\"detection_oid\":NaN}"),
      (.invalidJSON, "{\"x\":Infinity}"), (.invalidJSON, "{\"x\":-Infinity}"), (.invalidJSON, "{'x':1}"),
      (.invalidJSON, "{x:1}"), (.invalidJSON, "{\"x\":1,}"), (.invalidJSON, "{,}"), (.invalidJSON, "{\"x\"}"),
      (.invalidJSON, "{\"x\":}"), (.invalidJSON, "{\"x\" 1}"), (.invalidJSON, "{\"x\":1 \"y\":2}"),
      (.invalidJSON, "{\"x\":tru}"), (.invalidJSON, "{\"x\":truee}"), (.invalidJSON, "{\"x\":/**/1}"),
      (.invalidJSON, "{\"x\":\"\n\"}"), (.invalidJSON, "{\"x\":\"\u{0}\"}"),
      (.invalidJSON, "{\"x\":\"\u{1F}\"}"),
      (.invalidJSON, "{}\u{0}"), (.invalidJSON, "\u{0}{}"), (.invalidJSON, "{}\u{A0}"),
      (.invalidJSON, "\u{B}{}"),
      (.invalidJSON, "\u{FEFF}{}"), (.invalidJSON, "\u{FEFF}"), (.invalidJSON, "{\"x\":\"unclosed}"),
      // Trailing garbage, two documents
      (.invalidJSON, "{}x"), (.invalidJSON, "{}{}"), (.invalidJSON, "{}\n{}"), (.invalidJSON, "{},"),
      (.invalidJSON, "{}]"), (.invalidJSON, "{}}"), (.invalidJSON, "1 2"),
      // Numbers
      (.invalidJSON, "{\"x\":01}"), (.invalidJSON, "{\"x\":-}"), (.invalidJSON, "{\"x\":+1}"),
      (.invalidJSON, "{\"x\":1.}"), (.invalidJSON, "{\"x\":.5}"), (.invalidJSON, "{\"x\":1e}"),
      (.invalidJSON, "{\"x\":0x10}"), (.invalidJSON, "{\"x\":1_000}"), (.invalidJSON, "{\"x\":1.5.5}"),
      (.invalidJSON, "{\"x\":-01}"), (.invalidJSON, "{\"x\":1e+}"), (.invalidJSON, "{\"x\":--1}"),
      (.invalidJSON, "{\"x\":00000000000000000000000000}"), (.invalidJSON, "{\"x\":1a,\"y\":1e400}"),
      (.numberOutOfRange, "{\"x\":1e400}"), (.numberOutOfRange, "{\"x\":-1e400}"),
      (.numberOutOfRange, "{\"x\":[{\"y\":1.7976931348623159e308}]}"),
      (.numberOutOfRange, "{\"x\":18446744073709551616}"),
      (.numberOutOfRange, "{\"x\":-9223372036854775809}"),
      (.numberOutOfRange, "[1,1e400]"), (.numberOutOfRange, "1e400"),
      (.numberOutOfRange, "{\"x\":1e400,\"y\":1a}"),
      (.numberOutOfRange, "{\"\\\"1e\":\"01\",\"x\":1e999999999999999999999}"),
      // A field's name elsewhere than at the top is not about that field
      (.numberOutOfRange, "{\"x\":{\"detection_oid\":1e400}}"),
      (.numberOutOfRange, "{\"x\":\"detection_oid\",\"y\":1e400}"),
      (.numberOutOfRange, "{\"x\":[\"detection_oid\",1e400]}"),
      // Escapes
      (.invalidJSON, "{\"x\":\"\\x\"}"), (.invalidJSON, "{\"x\":\"\\u12\"}"),
      (.invalidJSON, "{\"x\":\"\\u12G4\"}"),
      (.invalidJSON, "{\"x\":\"\\u+123\"}"), (.invalidJSON, "{\"\\'\":1}"),
      (.invalidJSON, "{\"x\":\"\\U0041\"}"),
      (.loneSurrogate, "{\"x\":\"\\ud800\"}"), (.loneSurrogate, "{\"x\":\"\\udc00\"}"),
      (.loneSurrogate, "{\"x\":\"\\uDFFF\\uD800\"}"), (.loneSurrogate, "{\"x\":\"\\ud800\\ud800\"}"),
      (.loneSurrogate, "{\"x\":\"\\ud83dx\"}"), (.loneSurrogate, "{\"x\":\"\\ud83d\\n\"}"),
      (.loneSurrogate, "{\"\\ud83d\":1}"), (.loneSurrogate, "{\"x\":\"\\\\\\\"\\ud83d\\ude00\\udc00\"}"),
      // Other values
      (.notAnObject, "[]"), (.notAnObject, "null"), (.notAnObject, "true"), (.notAnObject, "1"),
      (.notAnObject, "-1.5e3"), (.notAnObject, "\"x\""), (.notAnObject, "[{}]"), (.notAnObject, " 0 "),
    ] as [(DecodeFailure, String)]
  )
  func notOneObject(reason: DecodeFailure, message: String) {
    #expect(throws: DecodeError(reason)) { try decode(message) }
  }

  @Test(
    "bytes that are not UTF-8 are refused wherever they are",
    arguments: [
      [0x80], [0xFF], [0xC0, 0x80], [0xC1, 0xBF], [0xE0, 0x80, 0xAF], [0xED, 0xA0, 0x80], [0xED, 0xBF, 0xBF],
      [0xF4, 0x90, 0x80, 0x80], [0xF5, 0x80, 0x80, 0x80], [0xE2, 0x82], [0xF0, 0x9F, 0x98], [0xC3, 0x28],
    ] as [[UInt8]]
  )
  func notUTF8(bytes: [UInt8]) {
    for name in ["item_name", "x"] {
      for padding in [0, 1, 60, 61, 62, 63, 64, 65, 200] {
        let text = Array(repeating: UInt8(ascii: "a"), count: padding) + bytes
        var message = Array("{\"\(name)\":\"".utf8) + text + Array("\"}".utf8)
        #expect(throws: DecodeError(.invalidUTF8)) { try decode(message) }
        message = Array("{\"".utf8) + text + Array("\":1}".utf8)
        #expect(throws: DecodeError(.invalidUTF8)) { try decode(message) }
      }
    }
  }

  @Test("nesting up to the limit is read, one level more is not, and 100,000 levels do no harm")
  func depth() throws {
    // The message's own object is one level.
    for (levels, isRead) in [(1_022, true), (1_023, false), (10_000, false), (100_000, false)] {
      for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
        let value = String(repeating: open, count: levels) + "1" + String(repeating: close, count: levels)
        let message = MessageText.plain(with: [("x", value)])
        if isRead {
          #expect(try decode(message) == Detection())
        } else {
          #expect(throws: DecodeError(.tooDeep)) { try decode(message) }
        }
        // Cut off, it is not even JSON.
        #expect(throws: DecodeError(.invalidJSON)) { try decode(String(repeating: open, count: levels)) }
      }
    }
  }

  @Test("an integer field takes 64-bit integers and nothing else", arguments: Event.Field.oids)
  func integers(field: Event.Field) {
    let wrongType = [
      "null", "true", "false", "\"1\"", "1.0", "1e3", "1E0", "-0.0", "0.1", "[]", "[1]", "{}", "1e-400",
      "1e308",
    ]
    for json in wrongType { expect(.wrongType, field, json) }
    for json in [
      "9223372036854775808", "-9223372036854775809", "18446744073709551615", "18446744073709551616",
      "99999999999999999999999999999999", "1e400", "-1e400",
    ] { expect(.numberOutOfRange, field, json) }
  }

  @Test("a timestamp is an integer or an RFC 3339 string")
  func timestamps() {
    for json in ["null", "true", "1793491200.5", "1.0", "1e9", "[]", "{}", "[1793491200]"] {
      expect(.wrongType, .detectedAt, json)
    }
    for text in [
      "", "1793491200", "2026-11-01", "2026-11-01T24:00:00Z", "2026-11-01T00:00:00Z\\u0000", "now",
    ] {
      expect(.badTimestamp, .detectedAt, "\"\(text)\"")
    }
    expect(.numberOutOfRange, .detectedAt, "1e400")
  }

  @Test("a name is a string of 1 to 5,000 scalars without U+0000")
  func names() {
    for json in ["null", "true", "1", "1.5", "[]", "{}", "[\"x\"]"] { expect(.wrongType, .itemName, json) }
    expect(.emptyItemName, .itemName, "\"\"")
    expect(.nulInItemName, .itemName, "\"\\u0000\"")
    expect(.nulInItemName, .itemName, "\"bicycle\\u0000\"")
    for scalar in ["a", "é", "😀", "\\u0061", "\\ud83d\\ude00"] {
      expect(.itemNameTooLong, .itemName, "\"\(String(repeating: scalar, count: 5_001))\"")
    }
    expect(.loneSurrogate, .itemName, "\"\\ud83d\"")
    // Ahead of the type: it is not even text.
    expect(.loneSurrogate, .itemName, "[{\"x\":\"\\ud83d\"}]")
  }

  @Test("a missing field is named, the first one if several are", arguments: Event.Field.allCases)
  func missing(field: Event.Field) {
    expect(.missingField, field, nil)
    // A key inside of another value is not the field.
    #expect(throws: DecodeError(.missingField, field)) {
      try decode(MessageText.plain(with: [(field.rawValue, nil), ("x", "{\"\(field.rawValue)\":1}")]))
    }
    #expect(throws: DecodeError(.missingField, .locationOid)) { try decode("{}") }
  }

  @Test(
    "a repeated field is refused, also if the values are equal or the name is escaped",
    arguments: Event.Field.allCases
  )
  func duplicates(field: Event.Field) {
    let name = field.rawValue
    let escaped = name.replacing("_", with: "\\u005f")
    let allEscaped = name.utf8.map { "\\u00" + String($0, radix: 16) }.joined()
    for (first, second) in [(name, name), (name, escaped), (escaped, name), (allEscaped, escaped)] {
      for value in ["1", "null", "\"x\""] {
        var message = MessageText.plain(Detection())
        message.insert(contentsOf: Array(",\"\(second)\":\(value)".utf8), at: message.count - 1)
        let text = String(decoding: message, as: UTF8.self).replacing("{\"\(name)\"", with: "{\"\(first)\"")
          .replacing(",\"\(name)\"", with: ",\"\(first)\"", maxReplacements: 1)
        #expect(throws: DecodeError(.duplicateKey, field)) { try decode(text) }
      }
    }
  }

  @Test("of several errors the first one in the message is reported, before what is missing or not allowed")
  func order() {
    #expect(throws: DecodeError(.wrongType, .cameraOid)) {
      try decode("{\"video_camera_oid\":null,\"detection_oid\":null}")
    }
    #expect(throws: DecodeError(.invalidJSON)) { try decode("{\"video_camera_oid\":null,}") }
    #expect(throws: DecodeError(.missingField, .locationOid)) { try decode("{\"item_name\":\"\"}") }
    #expect(throws: DecodeError(.badTimestamp, .detectedAt)) {
      try decode(MessageText.plain(with: [("item_name", "\"\""), ("timestamp_detected", "\"\"")]))
    }
  }

  @Test("an error names its field, if it has one, and reasons never change")
  func descriptions() {
    #expect("\(DecodeError(.wrongType, .detectionOid))" == "wrong_type: detection_oid")
    #expect("\(DecodeError(.tooDeep))" == "too_deep")
    #expect(
      DecodeFailure.allCases.map(\.rawValue) == [
        "empty", "too_large", "invalid_json", "invalid_utf8", "lone_surrogate", "too_deep", "not_an_object",
        "duplicate_key", "missing_field", "wrong_type", "number_out_of_range", "timestamp_out_of_range",
        "bad_timestamp", "empty_item_name", "item_name_too_long", "nul_in_item_name",
      ]
    )
  }

  private func expect(_ reason: DecodeFailure, _ field: Event.Field, _ json: String?) {
    #expect(throws: DecodeError(reason, field), "\(field.rawValue) = \(json ?? "nothing")") {
      try decode(MessageText.plain(with: [(field.rawValue, json)]))
    }
  }
}

extension Event.Field {
  fileprivate static let oids: [Event.Field] = [.locationOid, .cameraOid, .detectionOid]
}
