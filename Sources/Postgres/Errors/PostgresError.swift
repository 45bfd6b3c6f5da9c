/// What went wrong in PostgreSQL, in libpq, or on the way between them.
///
/// It carries the SQL text, never its arguments, and never a password: libpq's own messages about a malformed
/// URL, which quote it, are not passed on.
public struct PostgresError: Error, Sendable {
  /// Where the failure lies; what to do about it is its ``remedy``.
  public enum Kind: String, Sendable, CaseIterable {
    /// The URL or an option is wrong; retrying cannot help.
    case configuration
    /// No connection, or it broke; the transaction in it is rolled back by the server.
    case connection
    /// The server refused the statement; there is still a connection.
    case server
    /// The response is not what the caller asked to read (a type, NULL, a range), or a call came out of order.
    case `protocol`
    /// A value does not fit PostgreSQL's format; nothing was sent.
    case value
    /// The connection broke while COMMIT was under way: it may have committed or not. Read back what was
    /// written, with a lock, before repeating it.
    case commitUnknown
    /// No pooled connection came free in time, or too many were waiting.
    case poolExhausted
  }

  /// A class, so that the error is one word wide: typed throws return it in a register, and a function that
  /// might throw reserves no space for a dozen strings.
  private final class Fields: Sendable {
    let kind: Kind
    let message: String
    let detail: String?
    let hint: String?
    let sqlState: SQLState?
    let sql: String?
    let constraint: String?
    let position: Int?
    let isStalePlan: Bool

    init(
      kind: Kind,
      message: String,
      detail: String?,
      hint: String?,
      sqlState: SQLState?,
      sql: String?,
      constraint: String?,
      position: Int?,
      isStalePlan: Bool
    ) {
      self.kind = kind
      self.message = message
      self.detail = detail
      self.hint = hint
      self.sqlState = sqlState
      self.sql = sql
      self.constraint = constraint
      self.position = position
      self.isStalePlan = isStalePlan
    }
  }

  private let fields: Fields

  /// An error of the given kind; everything but the message is optional.
  public init(
    _ kind: Kind,
    _ message: String,
    detail: String? = nil,
    hint: String? = nil,
    sqlState: SQLState? = nil,
    sql: String? = nil,
    constraint: String? = nil,
    position: Int? = nil
  ) {
    self.init(
      kind,
      message,
      detail: detail,
      hint: hint,
      sqlState: sqlState,
      sql: sql,
      constraint: constraint,
      position: position,
      isStalePlan: false
    )
  }

  init(
    _ kind: Kind,
    _ message: String,
    detail: String?,
    hint: String?,
    sqlState: SQLState?,
    sql: String?,
    constraint: String?,
    position: Int?,
    isStalePlan: Bool
  ) {
    fields = Fields(
      kind: kind,
      message: message,
      detail: detail,
      hint: hint,
      sqlState: sqlState,
      sql: sql,
      constraint: constraint,
      position: position,
      isStalePlan: isStalePlan
    )
  }

  /// Where the failure lies.
  public var kind: Kind { fields.kind }
  /// The server's or libpq's primary message, one line.
  public var message: String { fields.message }
  /// The server's detail line. It may quote row values, so ``description`` leaves it out.
  public var detail: String? { fields.detail }
  /// The server's hint.
  public var hint: String? { fields.hint }
  /// The error code; nil where the failure never reached the server.
  public var sqlState: SQLState? { fields.sqlState }
  /// The statement, without its arguments.
  public var sql: String? { fields.sql }
  /// The constraint that was violated, where the server names one.
  public var constraint: String? { fields.constraint }
  /// The 1-based position in ``sql``, in Unicode scalars, that the server points at.
  public var position: Int? { fields.position }
  /// A prepared statement no longer fits the schema, or is gone; preparing it again helps.
  var isStalePlan: Bool { fields.isStalePlan }

  /// The first two characters of the SQLSTATE, empty without one.
  public var `class`: String { fields.sqlState?.classCode ?? "" }

  /// The same failure, seen as another kind.
  func with(kind: Kind, message: String? = nil) -> PostgresError {
    PostgresError(
      kind,
      message ?? self.message,
      detail: detail,
      hint: hint,
      sqlState: sqlState,
      sql: sql,
      constraint: constraint,
      position: position,
      isStalePlan: isStalePlan
    )
  }
}

extension PostgresError: CustomStringConvertible {
  /// Longer statements are cut in ``description``; ``sql`` has them whole.
  private static var longestSQL: Int { 500 }

  /// One line for a log: message, SQLSTATE, hint and the (shortened) SQL; no arguments, no row values.
  public var description: String {
    var text = message
    if let sqlState { text += " (SQLSTATE \(sqlState))" }
    if let hint { text += "; hint: \(hint)" }
    if let sql {
      let line = sql.split(whereSeparator: \.isWhitespace).joined(separator: " ")
      text += "; in: " + (line.count > Self.longestSQL ? line.prefix(Self.longestSQL) + "…" : line)
    }
    switch kind {
    case .commitUnknown: return "the outcome of COMMIT is unknown: " + text
    case .connection: return "PostgreSQL connection: " + text
    default: return text
    }
  }
}
