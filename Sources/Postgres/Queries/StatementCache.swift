import Glibc

/// Which SQL texts a connection has prepared, bounded, least recently used out first.
///
/// A value type without I/O: the connection prepares and deallocates what the cache returns.
struct StatementCache {
  /// One statement is one SQL text with its argument types.
  struct Key: Hashable {
    let sql: String
    let types: [UInt32]

    /// By bytes: `String` equates composed and decomposed "é", which are different SQL.
    static func == (left: Key, right: Key) -> Bool {
      guard left.types == right.types else { return false }
      var (left, right) = (left.sql, right.sql)
      // Statements have kilobytes, and this is asked for each execution: not byte by byte.
      return left.withUTF8 { left in
        right.withUTF8 { right in
          guard left.count == right.count else { return false }
          guard let ours = left.baseAddress, let theirs = right.baseAddress else { return true }
          return memcmp(ours, theirs, left.count) == 0
        }
      }
    }

    func hash(into hasher: inout Hasher) {
      var sql = sql
      sql.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
      hasher.combine(types)
    }
  }

  private struct Entry {
    let name: String
    var lastUse: UInt64
  }

  let capacity: Int
  private var entries: [Key: Entry] = [:]
  private var clock: UInt64 = 0
  private var created: UInt64 = 0
  /// Names that the server still holds although no entry leads to them.
  private(set) var discarded: [String] = []

  init(capacity: Int) {
    self.capacity = max(1, capacity)
  }

  var count: Int { entries.count }

  /// The prepared statement's name, if there is one.
  mutating func lookUp(_ key: Key) -> String? {
    clock += 1
    guard let index = entries.index(forKey: key) else { return nil }
    entries.values[index].lastUse = clock
    return entries.values[index].name
  }

  /// A name that was never used in this session.
  mutating func newName() -> String {
    created += 1
    return "s\(created)"
  }

  /// Remembers a statement that the server has prepared, and forgets the one that was unused for longest.
  mutating func insert(_ key: Key, name: String) {
    if entries.count >= capacity, let oldest = entries.min(by: { $0.value.lastUse < $1.value.lastUse }) {
      remove(oldest.key)
    }
    clock += 1
    entries[key] = Entry(name: name, lastUse: clock)
  }

  /// Forgets a statement; its name waits to be deallocated.
  mutating func remove(_ key: Key) {
    if let entry = entries.removeValue(forKey: key) { discarded.append(entry.name) }
  }

  /// The discarded names have been deallocated.
  mutating func forgetDiscarded() {
    discarded.removeAll()
  }
}
