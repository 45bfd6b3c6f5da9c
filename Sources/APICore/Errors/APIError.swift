package import CountStore
package import HTTP

/// Everything that can be wrong with a request or on the way to its response: the one table of problems.
package enum APIError: Error, Equatable {
  case unknownParameter(String, known: [String])
  case repeatedParameter(String)
  case malformedParameter(String, expected: String)
  case contradictoryParameters(String, other: String)
  case emptyRange
  case malformedQuery(parameter: String?, detail: String)
  case tooManyRows(limit: Int)
  case answerTooLong(bytes: Int)
  case unpagedFormat(parameter: String)
  case foreignCursor
  case cursorGone(isElsewhere: Bool)
  case unknownLocations([Int64])
  case unknownPath
  case wrongMethod(allowed: [Method])
  case notAcceptable(offered: String)
  case databaseAway
  case databaseBusy
  case databaseTooSlow
  case migrationsPending([String])
  case tooManyStreams
  case unexpected
  /// The protocol below refused the request.
  case refused(Status, detail: String)

  /// What `tz` may be; PostgreSQL has the last word.
  package static let expectedTimeZone = "a time zone of the IANA database such as Europe/Berlin, or UTC"

  package init(_ error: CountStoreError) {
    switch error {
    case .unknownLocations(let oids): self = .unknownLocations(oids)
    case .unknownTimeZone: self = .malformedParameter("tz", expected: Self.expectedTimeZone)
    case .tooManyRows(let limit): self = .tooManyRows(limit: limit)
    case .postgres:
      switch error.unavailability {
      case .away: self = .databaseAway
      case .busy: self = .databaseBusy
      case .tooSlow: self = .databaseTooSlow
      case .notMigrated: self = .migrationsPending([])
      case .other, nil: self = .unexpected
      }
    }
  }

  package var problem: Problem {
    switch self {
    case .unknownParameter(let name, let known):
      let detail =
        known.isEmpty
        ? "This address takes no parameters." : "The parameters are: \(known.joined(separator: ", "))."
      return Problem(
        type: "unknown-parameter",
        status: .badRequest,
        title: "There is no such parameter",
        detail: detail,
        param: Self.clipped(name)
      )
    case .repeatedParameter(let name):
      return Problem(
        type: "repeated-parameter",
        status: .badRequest,
        title: "A parameter is given more than once",
        detail: "Only location may be given more than once.",
        param: name
      )
    case .malformedParameter(let name, let expected):
      return Problem(
        type: "malformed-parameter",
        status: .badRequest,
        title: "A parameter is malformed",
        detail: "\(name) must be \(expected).",
        param: name
      )
    case .contradictoryParameters(let name, let other):
      return Problem(
        type: "contradictory-parameters",
        status: .badRequest,
        title: "Two parameters exclude each other",
        detail: "Give either \(name) or \(other), not both.",
        param: name
      )
    case .emptyRange:
      return Problem(
        type: "empty-range",
        status: .badRequest,
        title: "The range of time is empty",
        detail: "from must be before to.",
        param: "from"
      )
    case .malformedQuery(let parameter, let detail):
      return Problem(
        type: "malformed-query",
        status: .badRequest,
        title: "The query cannot be read",
        detail: detail + ".",
        param: parameter.map(Self.clipped)
      )
    case .tooManyRows(let limit):
      return Problem(
        type: "too-many-rows",
        status: .badRequest,
        title: "The answer would be too long",
        detail: """
          The answer has more than \(limit) rows and is never cut. Ask for fewer items (n), for certain \
          locations (location=…), for one ranking over all (group=all) or for longer buckets. Top lists as \
          CSV or NDJSON may be of any length.
          """,
        param: "n"
      )
    case .answerTooLong(let bytes):
      return Problem(
        type: "answer-too-long",
        status: .badRequest,
        title: "The answer would be too long",
        detail: """
          The answer takes more than \(bytes) bytes and is never cut. Ask for less, or take CSV or NDJSON, which may \
          be of any length.
          """
      )
    case .unpagedFormat(let parameter):
      return Problem(
        type: "contradictory-parameters",
        status: .badRequest,
        title: "This format has no pages",
        detail: "limit and cursor are for the JSON envelope, which says where the next page is.",
        param: parameter
      )
    case .foreignCursor:
      return Problem(
        type: "malformed-parameter",
        status: .badRequest,
        title: "The cursor belongs to another query",
        detail: "Repeat all parameters of the first page with its next_cursor, or follow next.",
        param: "cursor"
      )
    case .cursorGone(let isElsewhere):
      return Problem(
        type: "cursor-gone",
        status: .gone,
        title: "The result of this cursor is not held any more",
        detail: isElsewhere
          ? "Another server gave it, or this one before a restart. Start over with the first page."
          : "It was not used for too long, or others needed the room. Start over with the first page.",
        param: "cursor"
      )
    case .unknownLocations(let oids):
      let named = oids.prefix(10).map(String.init).joined(separator: ", ")
      return Problem(
        type: "unknown-location",
        status: .notFound,
        title: "There is no such location",
        detail: "Not a location that you may see: \(named)\(oids.count > 10 ? ", …" : "").",
        param: "location"
      )
    case .unknownPath:
      return Problem(
        type: "unknown-path",
        status: .notFound,
        title: "There is nothing at this address",
        detail: "/openapi.json lists the addresses."
      )
    case .wrongMethod(let allowed):
      return Problem(
        type: "wrong-method",
        status: .methodNotAllowed,
        title: "This address does not take that method",
        detail: "It takes \(allowed.map(\.rawValue).joined(separator: ", ")).",
        allow: allowed
      )
    case .notAcceptable(let offered):
      return Problem(
        type: "not-acceptable",
        status: .notAcceptable,
        title: "No format that you accept is available",
        detail: "This address answers \(offered); leave the Accept field out, or accept that or */*."
      )
    case .databaseAway:
      return Problem(
        type: "database-away",
        status: .serviceUnavailable,
        title: "The database cannot be reached",
        detail: "The query was not answered; ask again later.",
        retryAfter: 5
      )
    case .databaseBusy:
      return Problem(
        type: "database-busy",
        status: .serviceUnavailable,
        title: "The database is busy",
        detail: "The query was not answered; ask again soon.",
        retryAfter: 1
      )
    case .databaseTooSlow:
      return Problem(
        type: "database-too-slow",
        status: .gatewayTimeout,
        title: "The database took too long",
        detail: "Ask again later, for a shorter range, or for fewer locations.",
        retryAfter: 5
      )
    case .migrationsPending(let names):
      return Problem(
        type: "migrations-pending",
        status: .serviceUnavailable,
        title: "The database is not migrated",
        detail: "Run 'topitems migrate'"
          + (names.isEmpty ? "." : "; pending: \(names.joined(separator: ", "))."),
        retryAfter: 10
      )
    case .tooManyStreams:
      return Problem(
        type: "too-many-streams",
        status: .serviceUnavailable,
        title: "Too many clients follow answers",
        detail: "Try again later, or ask for the answer itself from time to time.",
        retryAfter: 30
      )
    case .unexpected:
      return Problem(
        type: "unexpected",
        status: .internalServerError,
        title: "The server failed",
        detail: "This is a fault of the server, and its log says more."
      )
    case .refused(let status, let detail):
      return Problem(type: "refused", status: status, title: status.reason, detail: detail + ".")
    }
  }

  /// A hostile name would otherwise fill the response.
  package static func clipped(_ name: String) -> String {
    name.unicodeScalars.count <= 64
      ? name : String(String.UnicodeScalarView(name.unicodeScalars.prefix(64))) + "…"
  }
}
