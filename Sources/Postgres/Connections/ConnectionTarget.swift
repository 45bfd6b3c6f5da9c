import CLibpq

/// A database URL taken apart by libpq itself, so that there is one reading of it.
struct ConnectionTarget {
  /// What the URL says explicitly, by libpq keyword.
  private(set) var parameters: [(keyword: String, value: String)] = []

  /// - Throws: `.configuration`, without quoting any part of the URL: libpq's messages do, and a password with
  ///   an unescaped `@` or `/` ends up where a host or a port is expected.
  init(url: String) throws(PostgresError) {
    guard !url.utf8.contains(0) else {
      throw PostgresError(.configuration, "the database URL contains a NUL character")
    }
    if Self.isAmbiguous(url) {
      throw PostgresError(
        .configuration,
        "the database URL is ambiguous",
        hint: "percent-encode special characters in the user name and the password: @ is %40, / is %2F"
      )
    }
    var message: UnsafeMutablePointer<CChar>?
    guard let options = PQconninfoParse(url, &message) else {
      let reason = message.map { Self.withoutQuotations(String(cString: $0)) } ?? "out of memory"
      PQfreemem(message)
      throw PostgresError(
        .configuration,
        "the database URL is malformed: \(reason)",
        hint: "postgresql://user:password@host:port/database, special characters percent-encoded"
      )
    }
    defer { PQconninfoFree(options) }
    var option = options
    while let keyword = option.pointee.keyword {
      if let value = option.pointee.val {
        parameters.append((String(cString: keyword), String(cString: value)))
      }
      option += 1
    }
  }

  subscript(keyword: String) -> String? {
    parameters.first { $0.keyword == keyword }?.value
  }

  /// Keeps what the URL says.
  mutating func setDefault(_ keyword: String, _ value: String) {
    if self[keyword] == nil { parameters.append((keyword, value)) }
  }

  /// Overrides what the URL says.
  mutating func set(_ keyword: String, _ value: String) {
    parameters.removeAll { $0.keyword == keyword }
    parameters.append((keyword, value))
  }

  /// libpq ends the user and password at the first `@`, and looks for it only up to the first `/`. If another
  /// `@` follows before the query, part of a password has become a host, a port or a database, and every later
  /// error message would print it.
  private static func isAmbiguous(_ url: String) -> Bool {
    guard let scheme = ["postgresql://", "postgres://"].first(where: { url.hasPrefix($0) }) else {
      return false
    }
    let rest = url.utf8.dropFirst(scheme.utf8.count)
    let authority = rest.prefix { $0 != UInt8(ascii: "/") }
    let credentials = authority.firstIndex(of: UInt8(ascii: "@"))
    let tail = credentials.map { rest[rest.index(after: $0)...] } ?? rest
    return tail.prefix { $0 != UInt8(ascii: "?") }.contains(UInt8(ascii: "@"))
  }

  /// libpq's message without whatever it quotes.
  private static func withoutQuotations(_ message: String) -> String {
    let line = message.split(whereSeparator: \.isNewline).joined(separator: " ")
    guard let first = line.firstIndex(of: "\""), let last = line.lastIndex(of: "\""), first < last else {
      return line
    }
    return String(line[..<first]) + "…" + String(line[line.index(after: last)...])
  }
}

extension ConnectionTarget: CustomStringConvertible {
  var description: String {
    let host = self["host"] ?? self["hostaddr"] ?? "(default host)"
    let database = self["dbname"] ?? self["service"] ?? "(default database)"
    let port = self["port"].map { ":" + $0 } ?? ""
    let user = self["user"].map { " as " + $0 } ?? ""
    return "\(host)\(port)/\(database)\(user)"
  }
}
