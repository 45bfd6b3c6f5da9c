import CLibpq

/// The one place where libpq's errors become ours.
extension PostgresError {
  /// Reads the fields of a failed result, which the caller still owns.
  ///
  /// - Parameter isBroken: whether the connection died of it.
  init(result: OpaquePointer, sql: String?, isBroken: Bool) {
    func field(_ code: Character) -> String? {
      guard let ascii = code.asciiValue else { return nil }
      return PQresultErrorField(result, Int32(ascii)).map { String(cString: $0) }
    }
    let state = field("C").map(SQLState.init(rawValue:))
    // The function's name is not translated, unlike "cached plan must not change result type".
    let isStale =
      state == .invalidStatementName || (state?.rawValue == "0A000" && field("R") == "RevalidateCachedQuery")
    self.init(
      isBroken ? .connection : .server,
      field("M") ?? Self.trimmed(PQresultErrorMessage(result)) ?? "the server gave no reason",
      detail: field("D"),
      hint: field("H"),
      sqlState: state,
      sql: sql,
      constraint: field("n"),
      position: field("P").flatMap { Int($0) },
      isStalePlan: isStale
    )
  }

  /// What libpq last noted about a connection.
  init(handle: OpaquePointer?, sql: String?) {
    let text = Self.trimmed(PQerrorMessage(handle)) ?? "the connection is closed"
    self.init(PQstatus(handle) == CONNECTION_OK ? .protocol : .connection, text, sql: sql)
  }

  /// A C message as one line, nil when it is empty.
  static func trimmed(_ message: UnsafePointer<CChar>?) -> String? {
    guard let message else { return nil }
    let text = String(cString: message).split(whereSeparator: \.isNewline)
      .map { $0.trimmingPrefix(while: \.isWhitespace) }.joined(separator: "; ")
    return text.isEmpty ? nil : text
  }

  /// What ``Connection`` says when it has been closed or never came up.
  static func closed(sql: String?) -> PostgresError {
    PostgresError(.connection, "the connection is closed", sql: sql)
  }
}
