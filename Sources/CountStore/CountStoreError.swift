public import Postgres

/// Why a query to the store has no response.
public enum CountStoreError: Error, Sendable {
  /// These `geographical_location_oid`s are no locations, or none that may be seen: the error does not say which.
  case unknownLocations([Int64])
  /// PostgreSQL knows no time zone of this name.
  case unknownTimeZone
  /// The response has more rows than were asked for at most.
  case tooManyRows(limit: Int)
  /// PostgreSQL did not answer.
  case postgres(PostgresError)
}

extension CountStoreError {
  /// What was thrown while a response was read.
  init(_ error: any Error) {
    switch error {
    case let error as CountStoreError: self = error
    case let error as PostgresError: self = .postgres(error)
    default: self = .postgres(PostgresError(.protocol, "\(error)"))
    }
  }

  /// Why PostgreSQL did not answer, for a client that waits.
  public enum Unavailability: Sendable, CaseIterable {
    /// It cannot be reached, or is starting or stopping.
    case away
    /// It has no connection, memory or lock to spare; soon it may.
    case busy
    /// The query took longer than it may.
    case tooSlow
    /// A table or column that this binary knows is not there.
    case notMigrated
    /// It is our own mistake.
    case other
  }

  /// What is the matter with PostgreSQL; nil when the query was at fault.
  ///
  /// Codes: PostgreSQL documentation, appendix A.
  public var unavailability: Unavailability? {
    guard case .postgres(let error) = self else { return nil }
    if error.sqlState == .queryCanceled { return .tooSlow }  // statement_timeout
    if error.isNotMigrated { return .notMigrated }
    switch error.remedy {
    case .retryTransaction, .wait: return .busy
    case .renewSession: return .away
    case .refuseMessage, .halt: return .other
    }
  }
}

extension PostgresError {
  /// Whether a table, column or schema that this binary knows is not there.
  public var isNotMigrated: Bool {
    ["42P01", "42703", "3F000"].contains(sqlState?.rawValue)
  }
}

extension CountStoreError: CustomStringConvertible {
  /// One line for a log, without arguments.
  public var description: String {
    switch self {
    case .unknownLocations(let oids): "unknown locations: \(oids.count)"
    case .unknownTimeZone: "unknown time zone"
    case .tooManyRows(let limit): "more than \(limit) rows"
    case .postgres(let error): "\(error)"
    }
  }
}
