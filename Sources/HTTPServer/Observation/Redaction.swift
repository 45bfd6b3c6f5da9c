import HTTP

/// Takes secrets out of what is logged.
enum Redaction {
  /// Parts of names of parameters whose values are secret, in small letters.
  static let words = [
    "key", "token", "secret", "password", "passwd", "auth", "signature", "credential", "session",
  ]

  /// The target with the values of such parameters replaced. A query that cannot be read is left out as a whole: it
  /// could hide a name.
  static func target(_ target: Target) -> String {
    guard let query = target.query else { return target.raw }
    let path = target.raw.utf8.prefix(target.raw.utf8.count - query.utf8.count)
    do throws(QueryError) { _ = try target.queryItems(limit: .max) } catch {
      return String(decoding: path, as: UTF8.self)
    }
    let parts = query.split(separator: "&", omittingEmptySubsequences: false).map { part -> Substring in
      guard let equals = part.firstIndex(of: "=") else { return part }
      return isSecret(part[..<equals]) ? part[...equals] + "redacted" : part
    }
    return String(decoding: path, as: UTF8.self) + parts.joined(separator: "&")
  }

  /// By the name as a server would read it, percent-encoding removed.
  private static func isSecret(_ name: Substring) -> Bool {
    var bytes: [UInt8] = []
    var rest = name.utf8[...]
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%"), let value = UInt8(String(rest.prefix(2)) ?? "", radix: 16) {
        bytes.append(value)
        rest = rest.dropFirst(2)
      } else {
        bytes.append(byte)
      }
    }
    let name = String(decoding: bytes, as: UTF8.self).lowercased()
    return words.contains { name.contains($0) }
  }
}
