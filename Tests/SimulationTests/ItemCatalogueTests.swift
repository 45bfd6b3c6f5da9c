import Foundation
import Testing

@testable import Simulation

@Suite("The catalogue of items")
struct ItemCatalogueTests {
  @Test("names are distinct as bytes and within the limits", arguments: [1, 2, 49, 50, 200, 10_000])
  func distinct(items: Int) {
    let names = ItemCatalogue(items: items).names
    #expect(names.count == items)
    #expect(Set(names.map { Array($0.utf8) }).count == items)
    #expect(names.allSatisfy { (1...5_000).contains($0.unicodeScalars.count) })
    #expect(names.first == "forklift")
  }

  @Test("the usual catalogue has many bytes a character, many scalars, and the longest name there may be")
  func variety() {
    let names = ItemCatalogue(items: 200).names
    #expect(names.contains { $0.unicodeScalars.count == 5_000 })
    #expect(names.contains("🚚") && names.contains("شاحنة") && names.contains("\"quoted\" crate"))
    #expect(names.count { $0 == "vélo" } == 2, "composed and decomposed: equal strings, different bytes")
  }

  @Test("both JSON forms read as the name")
  func json() throws {
    let catalogue = ItemCatalogue(items: 400)
    for (index, name) in catalogue.names.enumerated() {
      #expect(catalogue.asciiJSON[index].allSatisfy { (0x20..<0x7F).contains($0) })
      for form in [catalogue.json[index], catalogue.asciiJSON[index]] {
        let read = try #require(
          try JSONDecoder().decode([String].self, from: Data("[".utf8 + form + "]".utf8)).first
        )
        #expect(Array(read.utf8) == Array(name.utf8))
      }
    }
  }

  @Test("the byte order is PostgreSQL's COLLATE \"C\"")
  func byteOrder() {
    let catalogue = ItemCatalogue(items: 300)
    let byPlace = catalogue.names.indices.sorted { catalogue.byteOrder[$0] < catalogue.byteOrder[$1] }
    for (left, right) in zip(byPlace, byPlace.dropFirst()) {
      #expect(catalogue.names[left].utf8.lexicographicallyPrecedes(catalogue.names[right].utf8))
    }
  }
}
