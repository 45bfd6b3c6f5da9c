/// PostgreSQL's five character error code ("SQLSTATE"); the first two characters are its class.
///
/// Source: PostgreSQL documentation, appendix A "PostgreSQL Error Codes".
public struct SQLState: RawRepresentable, Hashable, Sendable, CustomStringConvertible {
  /// The five characters, e.g. `23505`.
  public let rawValue: String

  /// Takes any text: codes are open-ended, extensions may define their own.
  public init(rawValue: String) {
    self.rawValue = rawValue
  }

  /// The first two characters, e.g. `23` for every integrity constraint violation.
  public var classCode: String { String(rawValue.prefix(2)) }

  /// The five characters.
  public var description: String { rawValue }

  /// `08P01`: malformed binary data, too; our own mistake.
  public static let protocolViolation = SQLState(rawValue: "08P01")
  /// `0A000`: not supported, by this server or in this place.
  public static let featureNotSupported = SQLState(rawValue: "0A000")
  /// `22008`: a date or time does not fit the type.
  public static let datetimeFieldOverflow = SQLState(rawValue: "22008")
  /// `22023`: a parameter of a function or statement is invalid; our own mistake, not the data's.
  public static let invalidParameterValue = SQLState(rawValue: "22023")
  /// `22P03`: a binary value is not of its column's type; our own mistake.
  public static let invalidBinaryRepresentation = SQLState(rawValue: "22P03")
  /// `22P04`: COPY data that is malformed as a whole; our own mistake.
  public static let badCopyFileFormat = SQLState(rawValue: "22P04")
  /// `23502`: NULL where NOT NULL is demanded.
  public static let notNullViolation = SQLState(rawValue: "23502")
  /// `23503`: a foreign key points nowhere.
  public static let foreignKeyViolation = SQLState(rawValue: "23503")
  /// `23505`: a unique or primary key exists already.
  public static let uniqueViolation = SQLState(rawValue: "23505")
  /// `23514`: a CHECK constraint failed, or a row found no partition; our own mistake, not the data's.
  public static let checkViolation = SQLState(rawValue: "23514")
  /// `25001`: BEGIN inside a transaction.
  public static let activeTransaction = SQLState(rawValue: "25001")
  /// `25006`: the transaction is read-only, as all are on a standby.
  public static let readOnlyTransaction = SQLState(rawValue: "25006")
  /// `25P01`: COMMIT outside a transaction.
  public static let noActiveTransaction = SQLState(rawValue: "25P01")
  /// `25P02`: the transaction failed before; only a rollback ends it.
  public static let inFailedTransaction = SQLState(rawValue: "25P02")
  /// `26000`: a prepared statement is gone, e.g. after `DISCARD ALL`.
  public static let invalidStatementName = SQLState(rawValue: "26000")
  /// `40001`: two transactions could not be serialized; retrying is expected.
  public static let serializationFailure = SQLState(rawValue: "40001")
  /// `40P01`: chosen as a deadlock's victim.
  public static let deadlockDetected = SQLState(rawValue: "40P01")
  /// `42P01`: no such table.
  public static let undefinedTable = SQLState(rawValue: "42P01")
  /// `54000`: a value or message is larger than PostgreSQL allows.
  public static let programLimitExceeded = SQLState(rawValue: "54000")
  /// `55000`: the object is not what the statement needs, such as a view that no row can be inserted into.
  public static let objectNotInPrerequisiteState = SQLState(rawValue: "55000")
  /// `55P03`: `lock_timeout` or `NOWAIT` gave up on a lock.
  public static let lockNotAvailable = SQLState(rawValue: "55P03")
  /// `57014`: cancelled by a user, a `statement_timeout` or an abandoned COPY.
  public static let queryCanceled = SQLState(rawValue: "57014")
  /// `57P01`: the server shuts down, or `pg_terminate_backend` ended this connection.
  public static let adminShutdown = SQLState(rawValue: "57P01")
}
