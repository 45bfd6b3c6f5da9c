import Testing

@testable import topitems

@Suite("Text from outside on a terminal")
struct SafeTextTests {
  @Test(
    "what steers a terminal, or cannot be seen, is an escape; everything else stands for itself",
    arguments: [
      ("forklift é 箱 😀", "forklift é 箱 😀"),
      ("\u{1B}[2J\u{1B}]0;x\u{7}", #"\x1b[2J\x1b]0;x\x07"#),
      ("\u{9B}31m\u{85}", #"\u{9b}31m\u{85}"#),
      ("a\nb\r\tc\u{0}\u{7F}", #"a\nb\r\tc\x00\x7f"#),
      ("\u{202E}evil\u{2066}\u{200B}\u{FEFF}", #"\u{202e}evil\u{2066}\u{200b}\u{feff}"#),
      ("\u{2028}\u{2029}\u{A0}", #"\u{2028}\u{2029}\u{a0}"#),
      (#"\x1b"#, #"\\x1b"#),
      ("\u{E000}\u{10FFFF}", #"\u{e000}\u{10ffff}"#),
      ("", ""),
    ]
  )
  func lines(text: String, shown: String) {
    #expect(SafeText.line(text) == shown)
    #expect(SafeText.line(Array(text.utf8)) == shown)
  }

  @Test("bytes that are no UTF-8 are shown one by one, and the text after them is found again")
  func bytes() {
    #expect(SafeText.line([0x61, 0xFF, 0x62]) == #"a\xffb"#)
    #expect(SafeText.line([0xC3]) == #"\xc3"#)
    #expect(SafeText.line([0xE2, 0x82, 0x61, 0xC3, 0xA9]) == #"\xe2\x82aé"#)
    #expect(SafeText.line([0xED, 0xA0, 0x80]) == #"\xed\xa0\x80"#)
    #expect(SafeText.line([0xC0, 0xAF]) == #"\xc0\xaf"#)
  }

  @Test("whatever the bytes, nothing is left that steers a terminal")
  func harmless() {
    var state: UInt64 = 1
    for _ in 0..<500 {
      var bytes: [UInt8] = []
      for _ in 0..<64 {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        bytes.append(UInt8(truncatingIfNeeded: state >> 33))
      }
      for text in [SafeText.line(bytes), SafeText.dump(bytes).replacing("\n", with: "")] {
        #expect(
          text.unicodeScalars.allSatisfy { scalar in
            ![.control, .format, .lineSeparator, .paragraphSeparator].contains(
              scalar.properties.generalCategory
            )
          }
        )
      }
    }
  }

  @Test("a dump has sixteen bytes a line, with their ASCII beside them")
  func dump() {
    #expect(
      SafeText.dump(Array(0x1B...0x2C)) == """
        00000000  1b 1c 1d 1e 1f 20 21 22 23 24 25 26 27 28 29 2a  |..... !"#$%&'()*|
        00000010  2b 2c                                            |+,|

        """
    )
    #expect(SafeText.dump([]).isEmpty)
  }

  @Test("a table is aligned by columns of the terminal, and a long cell is cut with a mark")
  func table() {
    var table = TextTable([("NAME", .left), ("N", .right), ("LAST", .left)])
    table.add(["箱", "5", "x"])
    table.add(["e\u{301}tage\u{1B}", "12345", String(repeating: "y", count: 100)])
    #expect(
      table.text == """
        NAME           N  LAST
        箱             5  x
        e\u{301}tage\\x1b  12345  \(String(repeating: "y", count: 59))…

        """
    )
  }
}
