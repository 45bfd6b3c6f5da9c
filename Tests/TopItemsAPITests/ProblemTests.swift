import CountStore
import HTTP
import Threading
import Postgres
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Problems")
struct ProblemTests {
  @Test(
    "an address that does not exist is a 404, whatever is asked of it",
    arguments: [
      "/", "/v1", "/v1/", "/v1/top-items/", "/V1/top-items", "/v1/top-items.xml", "/healthz/x",
      "/%3Cscript%3E", "/v1/top-items%20",
    ]
  )
  func unknownPath(path: String) throws {
    for method: Method in [.get, .head, .options, .post, .delete] {
      let response = try TestAPI().response(path, method: method)
      #expect(response.status == .notFound)
      let problem = try JSON(parsing: response.body)
      #expect(problem["type"]?.string == "urn:topitems:problem:unknown-path")
      #expect(problem["instance"]?.string == path)
    }
  }

  @Test(
    "another method is a 405 that lists those it takes",
    arguments: [Method.post, .put, .patch, .delete, .trace]
  )
  func wrongMethod(method: Method) throws {
    for path in TestAPI().api.routes.keys {
      let asking = TestAPI()
      let response = try asking.response(path, method: method)
      #expect(response.status == .methodNotAllowed)
      #expect(response.fields["Allow"] == "GET, HEAD, OPTIONS")
      #expect(asking.queries.all.isEmpty)
    }
  }

  @Test("an unknown location is a 404 that blames the parameter; a long list is not repeated whole")
  func unknownLocation() throws {
    let one = TestAPI(.failure(.unknownLocations([43])))
    let response = try one.response("/v1/top-items?location=43")
    #expect(response.status == .notFound)
    #expect(
      String(decoding: response.body, as: UTF8.self) == """
        {"type":"urn:topitems:problem:unknown-location","title":"There is no such location","status":404,\
        "detail":"Not a location that you may see: 43.","instance":"/v1/top-items","param":"location"}
        """
    )
    let many = try TestAPI(.failure(.unknownLocations(Array(0..<100)))).json("/v1/top-items?location=0")
    #expect(many["detail"]?.string?.hasSuffix(": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, ….") == true)
  }

  @Test("a response of too many rows is a 400 that says how to narrow it")
  func tooManyRows() throws {
    let problem = try TestAPI(.failure(.tooManyRows(limit: 100_000))).json("/v1/top-items?n=1000")
    #expect(problem["status"]?.integer == 400)
    #expect(problem["param"]?.string == "n")
    for word in ["100000", "location", "group=all"] {
      #expect(problem["detail"]?.string?.contains(word) == true)
    }
  }

  private static let secret = "hunter2"

  @Test(
    "PostgreSQL's failures become 503, 504 or 500, are observed, and their text stays hidden from the client",
    arguments: [
      (PostgresError(.connection, "connection to host \(secret) refused"), 503, "database-away"),
      (PostgresError(.server, secret, sqlState: .adminShutdown), 503, "database-away"),
      (PostgresError(.connection, secret, sqlState: SQLState(rawValue: "57P03")), 503, "database-away"),
      (PostgresError(.connection, secret, sqlState: SQLState(rawValue: "53300")), 503, "database-busy"),
      (PostgresError(.server, secret, sqlState: SQLState(rawValue: "53200")), 503, "database-busy"),
      (PostgresError(.server, secret, sqlState: .lockNotAvailable), 503, "database-busy"),
      (PostgresError(.poolExhausted, secret), 503, "database-busy"),
      (
        PostgresError(.server, secret, sqlState: .queryCanceled, sql: "SELECT \(secret)"), 504,
        "database-too-slow"
      ),
      (PostgresError(.server, secret, sqlState: .undefinedTable), 503, "migrations-pending"),
      (
        PostgresError(.server, secret, detail: secret, hint: secret, sqlState: SQLState(rawValue: "42601")),
        500, "unexpected"
      ),
      (PostgresError(.protocol, secret), 500, "unexpected"),
    ]
  )
  func postgres(error: PostgresError, status: Int, type: String) throws {
    let failing = CountStoreError.postgres(error)
    let seen = Counter()
    let asking = TestAPI(.failure(failing), readiness: .failure(failing)) { _ in seen.increment() }
    for path in ["/v1/top-items", "/v1/top-items.json", "/readyz"] {
      let response = try asking.response(path)
      #expect(response.status.rawValue == status)
      #expect(try JSON(parsing: response.body)["type"]?.string == "urn:topitems:problem:\(type)")
      #expect(!String(decoding: response.body, as: UTF8.self).contains(Self.secret))
      let retryAfter = response.fields["Retry-After"].flatMap(Int.init)
      #expect(status == 500 ? retryAfter == nil : (1...120).contains(retryAfter ?? 0))
    }
    #expect(seen.count == 3)
    #expect(try asking.response("/healthz").status == .ok)
  }

  /// How often something happened.
  private final class Counter: Sendable {
    private let value = Lock(0)
    var count: Int { value.withLock { $0 } }
    func increment() { value.withLock { $0 += 1 } }
  }

  @Test("what the query is to blame for is not observed as a failure")
  func unobserved() throws {
    let seen = Counter()
    for error: CountStoreError in [.unknownLocations([1]), .tooManyRows(limit: 5)] {
      _ = try TestAPI(.failure(error)) { _ in seen.increment() }.response("/v1/top-items")
    }
    #expect(seen.count == 0)
  }

  @Test("a database that is not migrated is not ready, and the response lists what is missing")
  func migrationsPending() throws {
    let asking = TestAPI(readiness: .success(.migrationsPending(["0002_x.sql", "0003_y.sql"])))
    let response = try asking.response("/readyz")
    #expect(response.status == .serviceUnavailable)
    #expect(response.fields["Retry-After"] == "10")
    #expect(try JSON(parsing: response.body)["detail"]?.string?.contains("0002_x.sql, 0003_y.sql") == true)
  }

  @Test("a problem never repeats a value or the query of the request")
  func noSecrets() throws {
    for target in [
      "/v1/top-items?api_key=\(Self.secret)", "/v1/top-items?n=\(Self.secret)",
      "/v1/top-items?from=\(Self.secret)",
      "/v1/top-items?location=\(Self.secret)&location=1", "/nowhere?key=\(Self.secret)",
      "/v1/top-items?n=5&n=\(Self.secret)", "http://\(Self.secret).example/v1/top-items?n=0",
    ] {
      let response = try TestAPI().response(target, fields: ["Authorization": "Bearer \(Self.secret)"])
      #expect(response.status.rawValue >= 400)
      #expect(!String(decoding: response.body, as: UTF8.self).contains(Self.secret), "\(target)")
      #expect(!response.fields.contains { $0.value.contains(Self.secret) })
    }
  }

  @Test("a hostile parameter name is escaped, and cut when it is long")
  func hostileName() throws {
    let hostile = try TestAPI().response("/v1/top-items?%3Cscript%3E%22%0D%0A%1B=1")
    #expect(!hostile.body.contains { $0 < 0x20 || $0 == UInt8(ascii: "<") })
    #expect(try JSON(parsing: hostile.body)["param"]?.string == "<script>\"\r\n\u{1B}")
    let long = try TestAPI().json("/v1/top-items?" + String(repeating: "x", count: 5000) + "=1")
    #expect(long["param"]?.string == String(repeating: "x", count: 64) + "…")
  }

  @Test("what the parser refused becomes a problem document too")
  func refused() throws {
    let response = TopItemsAPI.problem(.uriTooLong, detail: "the request line is longer than 8000 bytes")
    #expect(response.status == .uriTooLong)
    #expect(response.fields["Content-Type"] == "application/problem+json")
    #expect(
      String(decoding: response.body, as: UTF8.self) == """
        {"type":"urn:topitems:problem:refused","title":"URI Too Long","status":414,\
        "detail":"the request line is longer than 8000 bytes."}
        """
    )
  }
}
