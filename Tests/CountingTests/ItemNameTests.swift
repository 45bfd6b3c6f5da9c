import Counting
import Testing

@Suite("Item names")
struct ItemNameTests {
  @Test(
    "the limit counts Unicode scalars, not bytes and not what looks like one character",
    arguments: ["a", "é", "猫", "😀", "\u{301}"]
  )
  func length(scalar: String) {
    let longest = String(repeating: scalar, count: ItemName.maximumScalars)
    #expect(refusal(longest) == nil)
    #expect(refusal(longest + "a") == .itemNameTooLong)
    #expect(refusal("a" + longest) == .itemNameTooLong)
    #expect(refusal(longest + longest) == .itemNameTooLong)
  }

  @Test("a name is neither empty nor contains U+0000")
  func content() {
    #expect(refusal("") == .emptyItemName)
    for name in ["\u{0}", "a\u{0}", "\u{0}a", String(repeating: "猫", count: 4_999) + "\u{0}"] {
      #expect(refusal(name) == .nulInItemName)
    }
    for name in [" ", "\u{1}", "\u{7F}", "\u{FFFE}", "'; DROP TABLE item; --", "=1+1"] {
      #expect(refusal(name) == nil)
    }
  }

  private func refusal(_ name: String) -> DecodeFailure? {
    Array(name.utf8).withUnsafeBytes { ItemName.refusal(of: $0) }
  }
}
