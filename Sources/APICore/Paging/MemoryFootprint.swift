/// The memory of values that are kept for long: trimmed, and measured.
extension Array {
  /// What the array itself takes, in bytes, with the room that it has to grow and the allocation's head.
  package var memoryBytes: Int { capacity * MemoryLayout<Element>.stride + 48 }

  /// The same without the room to grow, where that is worth a copy.
  package func trimmed() -> [Element] {
    guard capacity - count > count / 8 else { return self }
    var exact: [Element] = []
    exact.reserveCapacity(count)
    exact.append(contentsOf: self)
    return exact
  }
}

extension String {
  /// What a string without room to grow takes, in bytes.
  package var memoryBytes: Int { utf8.count + 64 }

  /// The same without the room to grow.
  package func trimmed() -> String {
    var text = self
    return text.withUTF8 { String(decoding: $0, as: UTF8.self) }
  }
}
