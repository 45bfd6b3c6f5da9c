import Counting
import Postgres
import TestSupport
import Testing

@testable import CountStore

@Suite("items and locations in the store")
struct CountStoreItemsTests {
  @Test("an item is its bytes: composed and decomposed names, cases and spaces are different items")
  func bytes() throws {
    try CountStoreFixture.with { fixture throws in
      let names = [
        "é", "e\u{301}", "É", "e", " e", "e ", "\u{1F600}", "\u{FFFD}", "'; DROP TABLE item; --", "\\x41",
      ]
      let ids = try fixture.store.internItems(names.map { Array($0.utf8) })
      #expect(Set(ids).count == names.count)
      #expect(try fixture.store.internItems(names.map { Array($0.utf8) }) == ids, "they are found again")
      #expect(
        try fixture.store.internItems([names[1], names[0]].map { Array($0.utf8) }) == [ids[1], ids[0]]
      )
      let stored = try fixture.connection.execute("SELECT item_id, item_name FROM item")
      for row in 0..<stored.count {
        let index = try #require(ids.firstIndex(of: try stored.int64(row, 0)))
        #expect(Array(try stored.string(row, 1).utf8) == Array(names[index].utf8))
      }
      #expect(try fixture.store.internItems([]) == [])
    }
  }

  @Test("names of 5,000 characters of four bytes are stored, distinct by their last byte, and returned")
  func longNames() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      let long = String(repeating: "\u{1F600}", count: 4999)
      let seen: [CountStoreFixture.Seen] = [
        .init(oid: 1, item: long + "a"), .init(oid: 2, item: long + "b"), .init(oid: 3, item: long + "b"),
      ]
      #expect(try fixture.apply(fixture.batch(claim, seen)).isCommitted)
      #expect(try fixture.violations(seen) == [])
      let answer = try fixture.store.topItems(
        TopItemsQuery(locations: [1], n: 5, range: .between(nil, nil), grouping: .location, maximumRows: 10)
      )
      #expect(answer.rows.map(\.itemName) == [long + "b", long + "a"])
      #expect(answer.rows.map(\.count) == [2, 1])
    }
  }

  @Test("a name that the database refuses fails with a data fault and leaves nothing behind")
  func refusedName() throws {
    try CountStoreFixture.with { fixture throws in
      let names: [[UInt8]] = [Array("good".utf8), [0xC3, 0x28]]
      var error: PostgresError?
      do { _ = try fixture.store.internItems(names) } catch let refusal { error = refusal as? PostgresError }
      #expect(error?.remedy == .refuseMessage)
      #expect(try fixture.number("SELECT count(*) FROM item") == 0)
    }
  }

  private func locations(_ fixture: CountStoreFixture) throws -> [Location] {
    let result = try fixture.connection.execute("SELECT * FROM location ORDER BY 1")
    return try (0..<result.count).map {
      Location(oid: try result.int64($0, 0), name: try result.string($0, 1))
    }
  }

  @Test("an import says what it adds, renames and misses, and does the first two")
  func importing() throws {
    try CountStoreFixture.with { fixture throws in
      let store = fixture.store
      let first = [Location(oid: 1, name: "Dock"), Location(oid: -5, name: "Gate")]
      #expect(try store.importLocations(first, replace: false, dryRun: false).added == first)
      let revision = try fixture.number("SELECT max(revision) FROM revision")
      var expected = LocationChanges()
      expected.storedBefore = 2
      #expect(try store.importLocations(first, replace: false, dryRun: false) == expected)
      #expect(try fixture.number("SELECT max(revision) FROM revision") == revision, "no change, no revision")

      let second = [Location(oid: 1, name: "Dock 1"), Location(oid: 2, name: "Yard")]
      expected.added = [second[1]]
      expected.renamed = [(old: first[0], new: second[0])]
      expected.missing = [first[1]]
      #expect(try store.importLocations(second, replace: false, dryRun: true) == expected)
      #expect(try locations(fixture) == [first[1], first[0]], "a dry run changes nothing")
      #expect(try fixture.number("SELECT max(revision) FROM revision") == revision)
      #expect(try store.importLocations(second, replace: false, dryRun: false) == expected)
      #expect(try locations(fixture) == [first[1], second[0], second[1]], "nothing is removed unasked")
      #expect(try fixture.number("SELECT max(revision) FROM revision") > revision)

      let replaced = try store.importLocations(second, replace: true, dryRun: false)
      #expect(replaced.missing == [first[1]])
      #expect(try locations(fixture) == second)
    }
  }

  @Test(
    "a name that changes from composed to decomposed is a rename; an empty list removes all, if asked to replace"
  )
  func importingEdges() throws {
    try CountStoreFixture.with { fixture throws in
      let store = fixture.store
      _ = try store.importLocations([Location(oid: 1, name: "caf\u{E9}")], replace: false, dryRun: false)
      let changes = try store.importLocations(
        [Location(oid: 1, name: "cafe\u{301}")],
        replace: false,
        dryRun: false
      )
      #expect(changes.renamed.count == 1)
      #expect(try locations(fixture).first.map { Array($0.name.utf8) } == Array("cafe\u{301}".utf8))
      _ = try store.importLocations([], replace: false, dryRun: false)
      #expect(try locations(fixture).count == 1)
      #expect(try store.importLocations([], replace: true, dryRun: false).isRefused)
      #expect(try locations(fixture).count == 1)
      _ = try store.importLocations([], replace: true, isConfirmed: true, dryRun: false)
      #expect(try locations(fixture).isEmpty)
    }
  }

  @Test(
    "a list that would remove more than half of the names is refused whole, unless that is confirmed",
    arguments: [(4, 2, false), (4, 3, true), (5, 2, false), (5, 3, true), (1, 1, true)]
  )
  func massRemoval(stored: Int64, removed: Int64, isRefused: Bool) throws {
    try CountStoreFixture.with { fixture throws in
      let store = fixture.store
      let all = (0..<stored).map { Location(oid: $0, name: "Gate \($0)") }
      _ = try store.importLocations(all, replace: false, dryRun: false)
      let list = all.dropFirst(Int(removed)) + [Location(oid: 99, name: "New")]
      #expect(try store.importLocations(Array(list), replace: true, dryRun: true).isRefused == isRefused)
      let changes = try store.importLocations(Array(list), replace: true, dryRun: false)
      #expect(changes.isRefused == isRefused)
      #expect(try locations(fixture) == (isRefused ? all : Array(list)))
      _ = try store.importLocations(Array(list), replace: true, isConfirmed: true, dryRun: false)
      #expect(try locations(fixture) == Array(list))
    }
  }

  @Test("two imports at once leave one of the two lists, not a mixture, and what each reports is what it did")
  func importingTogether() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      let lists = (0..<2).map { list in (0..<2000).map { Location(oid: Int64($0), name: "\(list) \($0)") } }
      let imports = lists.map { list in
        Background {
          let connection = try CountStoreFixture.connect(url)
          return try CountStore(connection).importLocations(list, replace: true, dryRun: false)
        }
      }
      let changes = try imports.map { try $0.value() }
      #expect(changes.map(\.added.count).sorted() == [0, 2000])
      #expect(changes.map(\.renamed.count).sorted() == [0, 2000])
      #expect(lists.contains(try locations(fixture)))
    }
  }

  @Test("readiness names the migrations that are missing, and migrating twice does nothing")
  func readiness() throws {
    try TestDatabase.withDatabase { url in
      let store = CountStore(try CountStoreFixture.connect(url))
      #expect(try store.readiness() == .migrationsPending(CountStore.migrations.map(\.name)))
      #expect(try store.migrate().count == CountStore.migrations.count)
      #expect(try store.migrate().isEmpty)
      #expect(try store.readiness() == .ready)
    }
  }
}
