import Testing

@testable import Postgres

@Suite("Statement cache")
struct StatementCacheTests {
  private func key(_ sql: String, _ types: [UInt32] = []) -> StatementCache.Key {
    StatementCache.Key(sql: sql, types: types)
  }

  @Test("the least recently used statement makes room")
  func eviction() {
    var cache = StatementCache(capacity: 2)
    cache.insert(key("a"), name: "s1")
    cache.insert(key("b"), name: "s2")
    #expect(cache.lookUp(key("a")) == "s1")
    cache.insert(key("c"), name: "s3")
    #expect(cache.lookUp(key("b")) == nil)
    #expect(cache.lookUp(key("a")) == "s1")
    #expect(cache.lookUp(key("c")) == "s3")
    #expect(cache.discarded == ["s2"])
    #expect(cache.count == 2)
  }

  @Test("the same SQL with other argument types is another statement")
  func types() {
    var cache = StatementCache(capacity: 8)
    cache.insert(key("a", [20]), name: "s1")
    #expect(cache.lookUp(key("a", [23])) == nil)
    #expect(cache.lookUp(key("a", [20])) == "s1")
  }

  @Test("composed and decomposed letters are different SQL")
  func bytes() {
    var cache = StatementCache(capacity: 8)
    cache.insert(key("SELECT '\u{E9}'"), name: "s1")
    #expect(cache.lookUp(key("SELECT 'e\u{301}'")) == nil)
  }

  @Test("names are never given out twice")
  func names() {
    var cache = StatementCache(capacity: 1)
    let names = (0..<100).map { _ in cache.newName() }
    #expect(Set(names).count == 100)
  }
}
