/// Why a question to the store has no answer.
public enum CountStoreError: Error, Sendable {
  /// These `geographical_location_oid`s are not locations, or not ones that may be seen.
  case unknownLocation([Int64])
  /// The answer has more rows than asked for at most.
  case tooManyRows(limit: Int)
  /// PostgreSQL could not be reached or refused.
  case postgres(String)

  /// What a failure of PostgreSQL means to whoever waits for the answer.
  public enum Trouble: Sendable {
    case away, busy, tooSlow, notMigrated, other
  }
  public var trouble: Trouble? { nil }
}
