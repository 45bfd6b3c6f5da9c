import HTTP
import Testing

@Suite("fields")
struct FieldsTests {
  @Test("are found without regard to case, in their order")
  func lookup() {
    var fields: Fields = ["Accept": "a", "X": "1", "ACCEPT": "b"]
    #expect(fields["accept"] == "a, b")
    #expect(fields.values(of: "Accept") == ["a", "b"])
    #expect(fields.firstBytes(of: "accept").map(Array.init) == Array("a".utf8))
    #expect(fields["accepts"] == nil && fields.values(of: "y").isEmpty && !fields.contains("y"))
    fields.set("accept", "c")
    #expect(fields.map(\.name) == ["X", "accept"])
    #expect(fields.map(\.value) == ["1", "c"])
    fields.remove("x")
    #expect(fields.count == 1 && !fields.isEmpty)
  }

  @Test("are equal by names without case and values byte for byte")
  func equality() {
    #expect(["A": "x"] as Fields == ["a": "x"])
    #expect(["A": "x"] as Fields != ["A": "X"])
    #expect(["A": "x", "B": "y"] as Fields != ["B": "y", "A": "x"])
    var removed: Fields = ["B": "z", "A": "x"]
    removed.remove("b")
    #expect(removed == ["A": "x"])
  }

  @Test("cannot split a response: CR, LF and NUL become spaces")
  func splitting() {
    let fields: Fields = ["Location": "/x\r\nSet-Cookie: a\0b"]
    #expect(fields["location"] == "/x  Set-Cookie: a b")
  }
}
