/// The weak entity tag of a body (RFC 9110 §8.8.3), and what `If-None-Match` says about it (§13.1.2).
package struct EntityTag: Equatable {
  /// What stands between the quotes.
  private let opaque: String

  /// As it stands in the `ETag` field: `W/"…"`.
  package var text: String { "W/\"\(opaque)\"" }

  /// Hashes the body by 64-bit FNV-1a: the same on every server and after every restart, which Swift's seeded
  /// `Hasher` is not. The length stands beside the hash.
  package init(of body: [UInt8]) {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in body {
      hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3
    }
    opaque = String(hash, radix: 16) + "-" + String(body.count, radix: 16)
  }

  /// Reads an `ETag` field that this type wrote.
  package init?(text: String) {
    guard text.hasPrefix("W/\""), text.hasSuffix("\"") else { return nil }
    opaque = String(text.dropFirst(3).dropLast())
  }

  /// Whether a value of `If-None-Match` names this tag by weak comparison, or is `*`.
  ///
  /// Only the quoted parts are looked at: commas may stand inside them, and weak comparison ignores `W/`.
  package func isNamed(by ifNoneMatch: String) -> Bool {
    if ifNoneMatch == "*" { return true }
    let parts = ifNoneMatch.split(separator: "\"", omittingEmptySubsequences: false)
    return stride(from: 1, to: parts.count - 1, by: 2).contains { parts[$0] == opaque }
  }
}
