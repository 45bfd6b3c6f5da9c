import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems locations import")
  struct LocationImportTests {
    private let header = "geographical_location_oid,geographical_location"

    @Test("takes over CSV, NDJSON and standard input, and shows what changed")
    func formats() throws {
      try withDatabase { url in
        let csv = try TemporaryFile(
          "places.csv",
          content: "\(header)\r\n1,Gate A\r\n2,\"Dock, \"\"north\"\"\"\r\n"
        )
        let first = try load(url, [csv.path])
        #expect(first.ending == .exited(0), "\(first)")
        #expect(first.output == "2 added, 0 changed, 0 not in the file, kept\n")
        #expect(try names(url) == [1: "Gate A", 2: #"Dock, "north""#])

        let lines = try TemporaryFile(
          "places.ndjson",
          content: """
            {"geographical_location_oid": 2, "geographical_location": "Dock \\u00e9"}
            {"geographical_location_oid": -9223372036854775808, "geographical_location": "Keller"}

            """
        )
        let second = try load(url, [lines.path])
        #expect(second.output == "1 added, 1 changed, 1 not in the file, kept\n", "\(second)")
        #expect(try names(url) == [1: "Gate A", 2: "Dock é", .min: "Keller"])

        let third = try load(url, ["-"], input: "\(header)\n3,Tor 3\n")
        #expect(third.output == "1 added, 0 changed, 3 not in the file, kept\n", "\(third)")
        let again = try load(url, ["-"], input: "\(header)\n3,Tor 3\n")
        #expect(again.output == "0 added, 0 changed, 3 not in the file, kept\n", "\(again)")
      }
    }

    @Test("--dry-run shows what would change, and changes nothing")
    func dryRun() throws {
      try withDatabase { url in
        #expect(try load(url, ["-"], input: "\(header)\n1,Gate A\n2,Dock\n").ending == .exited(0))
        let input = "\(header)\n2,Pier\n3,Tor 3\n"
        let run = try load(url, ["-", "--dry-run", "--replace"], input: input)
        #expect(run.ending == .exited(0), "\(run)")
        let lines = run.output.split(separator: "\n")
        #expect(
          lines == ["+ 3 Tor 3", "~ 2 Dock → Pier", "- 1 Gate A", "1 added, 1 changed, 1 removed (dry run)"]
        )
        #expect(try names(url) == [1: "Gate A", 2: "Dock"])
      }
    }

    @Test("--replace removes what the file does not have, and nothing else does")
    func replace() throws {
      try withDatabase { url in
        #expect(try load(url, ["-"], input: "\(header)\n1,Gate A\n2,Dock\n").ending == .exited(0))
        let run = try load(url, ["-", "--replace"], input: "\(header)\n2,Dock\n3,Tor 3\n")
        #expect(run.output == "1 added, 0 changed, 1 removed\n", "\(run)")
        #expect(try names(url) == [2: "Dock", 3: "Tor 3"])
      }
    }

    @Test("--replace that removes more than half of the names is refused, until it is repeated with --yes")
    func massRemoval() throws {
      try withDatabase { url in
        #expect(try load(url, ["-"], input: "\(header)\n1,Gate A\n2,Dock\n3,Pier\n").ending == .exited(0))
        let file = "\(header)\n3,Pier\n"
        let dry = try load(url, ["-", "--replace", "--dry-run"], input: file)
        #expect(dry.ending == .exited(0), "\(dry)")
        #expect(dry.output.contains("2 removed of 3, which needs --yes (dry run)"), "\(dry)")
        let refused = try load(url, ["-", "--replace"], input: file)
        #expect(refused.ending == .exited(1) && refused.errors.contains("--yes"), "\(refused)")
        #expect(try names(url) == [1: "Gate A", 2: "Dock", 3: "Pier"])
        let done = try load(url, ["-", "--replace", "--yes"], input: file)
        #expect(done.output == "0 added, 0 changed, 2 removed\n", "\(done)")
        #expect(try names(url) == [3: "Pier"])
      }
    }

    @Test(
      "a file with a bad row is refused whole, with the line's number",
      arguments: [
        ("1,Gate A\n2,Dock\nx,Pier\n", ["line 4"]),
        ("1,Gate A\n2\n", ["line 3"]),
        ("1,Gate A\n2,Dock\n1,Gate B\n", ["line 4", "line 2"]),
        ("1,\n2,\n", ["line 2", "line 3"]),
        ("1,\"never closed\n", ["line 2"]),
        ("9223372036854775808,Gate\n", ["line 2"]),
      ]
    )
    func badRows(rows: String, named: [String]) throws {
      try withDatabase { url in
        #expect(try load(url, ["-"], input: "\(header)\n1,Old\n").ending == .exited(0))
        for options in [["-"], ["-", "--replace"], ["-", "--dry-run"]] {
          let run = try load(url, options, input: "\(header)\n\(rows)")
          #expect(run.ending == .exited(1), "\(run)")
          for line in named { #expect(run.errors.contains(line), "\(run)") }
          #expect(try names(url) == [1: "Old"])
        }
      }
    }

    @Test("no header, no file and nothing at all are refused")
    func notAFile() throws {
      try withDatabase { url in
        for (options, input) in [(["-"], "1,Gate A\n"), (["-"], ""), (["/nowhere/places.csv"], "")] {
          let run = try load(url, options, input: input)
          #expect(run.ending == .exited(1) && !run.errors.isEmpty, "\(run)")
        }
        #expect(try names(url) == [:])
      }
    }

    private func withDatabase(_ body: (String) throws -> Void) throws {
      try TestDatabase.withDatabase { url in
        let run = try ProcessRunner.run(["migrate"], environment: ["TOPITEMS_DATABASE_URL": url])
        try #require(run.ending == .exited(0), "\(run)")
        try body(url)
      }
    }

    private func load(_ url: String, _ options: [String], input: String = "") throws
      -> ProcessRunner.Finished
    {
      try ProcessRunner.run(
        ["locations", "import"] + options,
        environment: ["TOPITEMS_DATABASE_URL": url],
        input: Array(input.utf8)
      )
    }

    private func names(_ url: String) throws -> [Int64: String] {
      let connection = try Connection(ConnectionOptions(url: url))
      let result = try connection.execute(
        "SELECT geographical_location_oid, geographical_location FROM location"
      )
      var names: [Int64: String] = [:]
      for row in 0..<result.count { names[try result.int64(row, 0)] = try result.string(row, 1) }
      return names
    }
  }
}
