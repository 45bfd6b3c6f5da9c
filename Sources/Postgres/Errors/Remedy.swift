extension PostgresError {
  /// What is to be done about a failure. The table is in docs/semantics.md, "Failures of PostgreSQL".
  public enum Remedy: String, Sendable, CaseIterable {
    /// A conflict that passes, such as a lock: repeat the transaction, after a pause.
    case retryTransaction
    /// The session is lost, or not what it should be, for as long as it lives: close it, and repeat the work on a new
    /// one, after a pause. After ``Kind/commitUnknown``, read back with a lock what was written, first.
    case renewSession
    /// The server has no room, memory or connection to spare: repeat the work later.
    case wait
    /// The data is at fault: it would be refused each time.
    case refuseMessage
    /// The program, its configuration or the schema is at fault: stop, and give the reason.
    case halt

    /// Whether the same work may succeed another time.
    public var isTransient: Bool {
      switch self {
      case .retryTransaction, .renewSession, .wait: true
      case .refuseMessage, .halt: false
      }
    }
  }

  /// By SQLSTATE, or by its class; a SQLSTATE takes precedence over its class, and what is not here is `halt`.
  /// Source: PostgreSQL documentation, appendix A.
  private static let remedies: [String: Remedy] = [
    "08": .renewSession,
    // Malformed binary data: it would be malformed again.
    "08P01": .halt,
    "22": .refuseMessage,
    // Parameters and binary formats are ours, not the data's.
    "22023": .halt, "22P03": .halt, "22P04": .halt,
    "23": .refuseMessage,
    // A CHECK that the validation should have kept, or a missing partition.
    "23514": .halt,
    // A standby, or `default_transaction_read_only`: a new session may be led elsewhere, or have another default.
    "25006": .renewSession,
    // Prepared statements that this session lacks, or has from another client of a pooler.
    "26000": .renewSession, "42P05": .renewSession,
    "40": .retryTransaction,
    "53": .wait,
    "55": .retryTransaction,
    // Such as a row for what has become a view.
    "55000": .halt,
    "57": .retryTransaction,
    // The server or the session ends, or is not there yet.
    "57P01": .renewSession, "57P02": .renewSession, "57P03": .renewSession, "57P04": .renewSession,
    "57P05": .renewSession,
    // A failure of the server's operating system or files.
    "58": .renewSession,
  ]

  /// What is to be done about it; by the SQLSTATE, and by whether the connection is still there.
  public var remedy: Remedy {
    switch kind {
    case .configuration, .protocol: .halt
    case .poolExhausted: .wait
    case .commitUnknown: .renewSession
    // Without a session, only the lack of a resource is worth telling from all else.
    case .connection: listedRemedy == .wait ? .wait : .renewSession
    case .value: listedRemedy == .refuseMessage ? .refuseMessage : .halt
    // "cached plan must not change result type" has the SQLSTATE of all that is not supported, 0A000.
    case .server: isStalePlan ? .renewSession : listedRemedy
    }
  }

  private var listedRemedy: Remedy {
    guard let sqlState else { return .halt }
    return Self.remedies[sqlState.rawValue] ?? Self.remedies[sqlState.classCode] ?? .halt
  }
}
