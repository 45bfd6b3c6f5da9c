import JSONText
import TestSupport
import Testing

@Suite("JSON as it is written")
struct JSONWriterTests {
  private func written(_ write: (inout JSONWriter) -> Void) -> String {
    var json = JSONWriter()
    write(&json)
    return String(decoding: json.bytes, as: UTF8.self)
  }

  @Test("commas stand between members and elements, and nowhere else")
  func commas() {
    let text = written { json in
      json.object { json in
        json.name("empty")
        json.array { _ in }
        json.name("nested")
        json.array { json in
          json.object { _ in }
          json.null()
          json.bool(true)
          json.integer(Int64.min)
          json.quotedInteger(.max)
          json.value(Array("1.5e3".utf8))
          json.string("x")
        }
        json.name(String("last"))
        json.bool(false)
      }
    }
    #expect(
      text == """
        {"empty":[],"nested":[{},null,true,-9223372036854775808,"9223372036854775807",1.5e3,"x"],"last":false}
        """
    )
  }

  @Test(
    "characters are escaped as RFC 8259 demands, and those that could act in a page or a terminal",
    arguments: [
      (#"say "hi" \ bye"#, #""say \"hi\" \\ bye""#),
      ("\u{0}\u{1F}\u{7F}", #""\u0000\u001f\u007f""#),
      ("\u{8}\u{C}\n\r\t", #""\b\f\n\r\t""#),
      ("a\u{2028}b\u{2029}c", #""a\u2028b\u2029c""#),
      ("</script>&amp;", #""\u003c/script\u003e\u0026amp;""#),
      ("\u{80}\u{9B}31m\u{9F}", #""\u0080\u009b31m\u009f""#),
      ("\u{A0}\u{2027}\u{202A}\u{202E}é\u{301}漢🚧", "\"\u{A0}\u{2027}\u{202A}\u{202E}é\u{301}漢🚧\""),
      ("שלום/مرحبا", "\"שלום/مرحبا\""),
      ("", "\"\""),
    ]
  )
  func escapes(text: String, expected: String) {
    let result = written { $0.string(text) }
    #expect(Array(result.utf8) == Array(expected.utf8))
  }

  @Test("every Unicode scalar comes back from an independent reader as it was")
  func roundTrip() throws {
    let all = (0...0x10FFFF as ClosedRange<UInt32>).lazy.compactMap(Unicode.Scalar.init)
    var text = String.UnicodeScalarView()
    text.append(contentsOf: all)
    var json = JSONWriter()
    json.array { json in json.string(String(text)) }
    let read = try JSON(parsing: json.bytes)
    #expect(read[0]?.string?.unicodeScalars.elementsEqual(text) == true)
  }

  @Test("integers keep every digit", arguments: [0, 9, 10, -1, 1 << 53 + 1, .max, .min] as [Int64])
  func integers(value: Int64) {
    #expect(written { $0.integer(value) } == "\(value)")
    #expect(written { $0.quotedInteger(value) } == "\"\(value)\"")
  }
}
