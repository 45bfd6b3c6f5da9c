import Testing

@testable import Counting

@Suite("Dataset B from a file")
struct LocationFileTests {
  private static let header = "geographical_location_oid,geographical_location\n"

  private func parse(_ text: String) throws -> [Location] { try LocationFile.parse(Array(text.utf8)) }

  private func problems(_ bytes: [UInt8]) -> [String] {
    do {
      let locations = try LocationFile.parse(bytes)
      Issue.record("\(locations.count) locations were accepted")
      return []
    } catch {
      return error.list.map(\.description)
    }
  }

  private func problems(_ text: String) -> [String] { problems(Array(text.utf8)) }

  @Test("CSV: two columns, in any order, among others")
  func csv() throws {
    #expect(
      try parse(Self.header + "1,Dock\n-2,Gate 2\n") == [
        Location(oid: 1, name: "Dock"), Location(oid: -2, name: "Gate 2"),
      ]
    )
    #expect(
      try parse("city,geographical_location,geographical_location_oid\nBern,Dock,7\n") == [
        Location(oid: 7, name: "Dock")
      ]
    )
    #expect(
      try parse(Self.header + "\(Int64.min),a\n\(Int64.max),b") == [
        Location(oid: .min, name: "a"), Location(oid: .max, name: "b"),
      ]
    )
  }

  @Test(
    "CSV: quotes, doubled quotes, commas and line breaks in them, CRLF, a byte order mark, no last line break",
    arguments: [
      ("1,\"Dock, north\"\n", "Dock, north"),
      ("1,\"the \"\"big\"\" dock\"\n", "the \"big\" dock"),
      ("1,\"two\nlines\"\n", "two\nlines"),
      ("1,\"two\r\nlines\"\r\n", "two\r\nlines"),
      ("1,Dock\r\n", "Dock"),
      ("1,Dock", "Dock"),
      ("1,\"Dock\"", "Dock"),
      ("1,\"Dock\"\r\n\r\n", "Dock"),
      ("\n\n1,Dock\n\n", "Dock"),
      ("\"1\",Dock\n", "Dock"),
      ("1, Dock \n", " Dock "),
      ("1,\"\"\"\"\n", "\""),
      ("1,Cafe\u{301}\n", "Cafe\u{301}"),
      ("1,👩‍👩‍👧 Łódź 東京\n", "👩‍👩‍👧 Łódź 東京"),
    ]
  )
  func csvForms(row: String, name: String) throws {
    for mark in ["", "\u{FEFF}"] {
      for ending in ["\n", "\r\n"] {
        let text = mark + Self.header.dropLast() + ending + row
        let found = try parse(text)
        #expect(found.map(\.oid) == [1])
        #expect(found.map { Array($0.name.utf8) } == [Array(name.utf8)], "\(text.debugDescription)")
      }
    }
  }

  @Test("NDJSON: unknown fields, empty lines, CRLF, a byte order mark, escapes")
  func ndjson() throws {
    let text = """
      {"geographical_location_oid":1,"geographical_location":"Dock \\u00e9 \\"x\\"","more":[1,{}]}\r

         \r
      {"geographical_location":"Gate","geographical_location_oid":-9223372036854775808}
      """
    let expected = [Location(oid: 1, name: "Dock é \"x\""), Location(oid: .min, name: "Gate")]
    #expect(try parse(text) == expected)
    #expect(try parse("\u{FEFF}" + text) == expected)
    #expect(try parse("\n\n" + text) == expected)
  }

  @Test(
    "CSV: each bad row is reported with the line where it begins",
    arguments: [
      ("", "line 1: the file is empty; a header was expected"),
      (" \n\r\n\t", "line 1: the file is empty; a header was expected"),
      ("oid,name\n1,a\n", "line 1: the header must name geographical_location_oid and geographical_location"),
      ("\n\nid\n", "line 3: the header must name geographical_location_oid and geographical_location"),
      (header + "1,a\n2\n", "line 3: 1 fields where the header has 2"),
      (header + "1,a\n2,b,c\n", "line 3: 3 fields where the header has 2"),
      (header + "x,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + ",a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "+1,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + " 1,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "1.0,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "1_0,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "٣,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "9223372036854775808,a\n", "line 2: geographical_location_oid is no 64-bit integer"),
      (header + "1,\n", "line 2: geographical_location is empty"),
      (header + "1,\"\"\n", "line 2: geographical_location is empty"),
      (header + "1,a\0b\n", "line 2: geographical_location contains U+0000, which PostgreSQL cannot store"),
      (
        header + "1,\"a\nb\"\n2,\"c\nd\"\n1,e\n",
        "line 6: geographical_location_oid 1 is there twice, first in line 2"
      ),
      (header + "1,\"a\n\n\n", "line 2: a quoted field is not closed"),
      (header + "1,\"a\"b\n", "line 2: \"b\" behind a closing quote"),
      (header + "1,a\"b\n", "line 2: a quote inside of an unquoted field"),
      (header + "1,\"a\"\rb\n", "line 2: \"b\" behind a closing quote"),
    ]
  )
  func badCSV(text: String, problem: String) {
    #expect(problems(text) == [problem])
  }

  @Test(
    "NDJSON: each bad line is reported with its number",
    arguments: [
      ("{\n", "line 1: not valid JSON"),
      (#"{"geographical_location":"a"}"#, "line 1: geographical_location_oid is missing"),
      (#"{"geographical_location_oid":1}"#, "line 1: geographical_location is missing"),
      (
        #"{"geographical_location_oid":"1","geographical_location":"a"}"#,
        "line 1: geographical_location_oid is no 64-bit integer"
      ),
      (
        #"{"geographical_location_oid":9223372036854775808,"geographical_location":"a"}"#,
        "line 1: geographical_location_oid is no 64-bit integer"
      ),
      (
        #"{"geographical_location_oid":1.5,"geographical_location":"a"}"#,
        "line 1: geographical_location_oid is no 64-bit integer"
      ),
      (
        #"{"geographical_location_oid":1,"geographical_location":null}"#,
        "line 1: geographical_location is no string"
      ),
      (
        #"{"geographical_location_oid":1,"geographical_location":"\u0000"}"#,
        "line 1: geographical_location contains U+0000, which PostgreSQL cannot store"
      ),
      (
        "{\"geographical_location_oid\":1,\"geographical_location\":\"a\"}\n\n[1]\n",
        "line 3: not a JSON object"
      ),
    ]
  )
  func badNDJSON(text: String, problem: String) {
    #expect(problems(text) == [problem])
  }

  @Test("a file is taken whole or not at all, and all its bad rows are listed, up to twenty")
  func allOrNothing() {
    #expect(
      problems(Self.header + "1,a\nx,b\n2,c\n2,d\n3\n") == [
        "line 3: geographical_location_oid is no 64-bit integer",
        "line 5: geographical_location_oid 2 is there twice, first in line 4",
        "line 6: 1 fields where the header has 2",
      ]
    )
    #expect(problems(Self.header + String(repeating: "x,b\n", count: 1000)).count == 20)
    #expect(problems(String(repeating: "{}\n", count: 1000)).count == 20)
  }

  @Test("bytes that are not UTF-8 are refused with their line")
  func notUTF8() {
    #expect(
      problems(Array(Self.header.utf8) + Array("1,a\n2,".utf8) + [0xC3, 0x28, 0x0A]) == ["line 3: not UTF-8"]
    )
  }

  @Test("a name has up to 5,000 characters, counted as Unicode scalars")
  func longNames() throws {
    let longest = String(repeating: "😀", count: 5000)
    #expect(try parse(Self.header + "1,\(longest)\n") == [Location(oid: 1, name: longest)])
    #expect(
      problems(Self.header + "1,\(longest)e\n") == [
        "line 2: geographical_location is longer than 5000 characters"
      ]
    )
    #expect(
      problems(#"{"geographical_location_oid":1,"geographical_location":"\#(longest)e"}"#)
        == ["line 1: geographical_location is longer than 5000 characters"]
    )
  }

  @Test("20,000 rows are read in a time that grows with their number only")
  func huge() throws {
    let csv = Self.header + (0..<20_000).map { "\($0),\"Dock \($0), north\"\n" }.joined()
    let locations = try parse(csv)
    #expect(locations.count == 20_000)
    #expect(locations.last == Location(oid: 19_999, name: "Dock 19999, north"))
    let lines = (0..<5000).map { "{\"geographical_location_oid\":\($0),\"geographical_location\":\"x\"}\n" }
    #expect(try parse(lines.joined()).count == 5000)
  }

  @Test("deeply nested JSON is refused, and no stack overflows")
  func deep() {
    let deep = String(repeating: "[", count: 100_000) + String(repeating: "]", count: 100_000)
    let text = "{\"geographical_location_oid\":1,\"geographical_location\":\"a\",\"x\":\(deep)}"
    #expect(problems(text) == ["line 1: not valid JSON"])
  }
}
