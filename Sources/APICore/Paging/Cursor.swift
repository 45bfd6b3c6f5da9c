/// Where the next page of a result begins: which server holds the result, which one it is, and the position in it.
package struct Cursor: Equatable, Sendable {
  /// The server, see `ResultSets.instance`.
  package var instance: UInt64
  package var result: ResultKey
  /// The row, or the page, with which to go on; more than 0.
  package var position: Int

  package init(instance: UInt64, result: ResultKey, position: Int) {
    self.instance = instance
    self.result = result
    self.position = position
  }

  /// Server and result in hexadecimal digits, the position in decimal ones, with dots between them.
  package init?(text: String) {
    let parts = text.split(separator: ".", omittingEmptySubsequences: false)
    guard parts.count == 3, parts[0].utf8.count == 16, parts[1].utf8.count == 32, parts[2].utf8.count <= 9,
      let instance = UInt64(parts[0], radix: 16), let high = UInt64(parts[1].prefix(16), radix: 16),
      let low = UInt64(parts[1].suffix(16), radix: 16), let position = Int(parts[2]), position > 0
    else { return nil }
    self.init(instance: instance, result: ResultKey(high: high, low: low), position: position)
    // One spelling only.
    guard self.text == text else { return nil }
  }

  /// As it stands in an address; it needs no percent-encoding.
  package var text: String {
    "\(Self.digits(instance)).\(Self.digits(result.high))\(Self.digits(result.low)).\(position)"
  }

  private static func digits(_ number: UInt64) -> String {
    let text = String(number, radix: 16)
    return String(repeating: "0", count: 16 - text.utf8.count) + text
  }
}
