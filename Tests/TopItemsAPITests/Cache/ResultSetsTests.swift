import APICore
import Foundation
import JSONText
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Results that are read page by page")
struct ResultSetsTests {
  @Test("a result comes back as it was, with its query, for as long as there is room")
  func contents() {
    let kept = ResultSets<EncodedResult>(capacity: 5000)
    let result = EncodedResult(meta: [1], records: Array(repeating: 2, count: 1500), ends: [700, 1500])
    let (first, second) = (
      kept.keep(result, query: Array("a".utf8)), kept.keep(result, query: Array("b".utf8))
    )
    #expect(kept.find(first)?.query == Array("a".utf8))
    let third = kept.keep(result, query: Array("c".utf8))
    #expect(kept.find(second) == nil)
    let held = kept.find(third)
    #expect(
      held?.query == Array("c".utf8) && held?.result.meta == [1] && held?.result.ends == [700, 1500]
    )
    #expect(held?.result.records == result.records)
    let large = EncodedResult(meta: [], records: Array(repeating: 0, count: 5000), ends: [])
    #expect(kept.find(kept.keep(large, query: Array("d".utf8))) == nil)
    #expect(kept.find(first) != nil, "one that is larger than all that may be kept makes no room for itself")
  }

  /// In a process of its own, where nothing else allocates: more results than there is room for, as small as the API
  /// makes them.
  @Test("the memory that they take is no more than what is counted")
  func memory() async {
    await #expect(processExitsWith: .success) {
      let kept = ResultSets<EncodedResult>(capacity: 64 << 20)
      let empty = try residentBytes()
      for number in 0..<50_000 {
        var writer = EnvelopeWriter(integers: .string)
        for location: Int64 in 1...2 { try writer.add(LocationRecord(oid: location, name: "Gate")) }
        var meta = JSONWriter()
        meta.string(String(repeating: "m", count: 600))
        var query = "/v1/top-items?"
        for location in 0..<(number % 200) { query += "location=\(location)&" }
        _ = kept.keep(writer.result(meta: meta.bytes), query: Array(query.utf8))
      }
      // A sanitizer (deploy/dev/sanitize) has a heap of its own kind.
      guard ProcessInfo.processInfo.environment["ASAN_OPTIONS"] == nil else { return }
      let taken = try residentBytes() - empty
      #expect(taken <= kept.bytes, "\(taken) of \(kept.bytes) bytes")
    }
  }
}

private func residentBytes() throws -> Int {
  let pages = try String(contentsOfFile: "/proc/self/statm", encoding: .utf8).split(separator: " ")
  return try #require(Int(pages[1])) * sysconf(Int32(_SC_PAGESIZE))
}
