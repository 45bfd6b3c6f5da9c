import Testing

@testable import Postgres

@Suite("Connection options")
struct ConnectionOptionsTests {
  /// Passwords with characters that should have been percent-encoded, and URLs that libpq cannot read: its own
  /// messages quote them.
  static let badURLs = [
    "postgresql://user:hunter2%zz@host/db", "postgresql://user:hun@ter2@host/db",
    "postgresql://user:hun/ter2@host/db", "postgresql://user:hunter2@host/db?hunter2",
    "postgresql://user:hunter2@host/db?hunter2=1", "postgres//user:hunter2@host/db", "hunter2",
    "host=h password=a hunter2", "host=h password='hunter2", "postgresql://user:hunter2@[::1/db",
    "postgresql://user:hunter2@host\0/db", "postgresql://user:@hunter2@host:5432/db",
  ]

  @Test("a bad URL is a configuration error that quotes nothing of it", arguments: badURLs)
  func badURL(url: String) {
    let options = ConnectionOptions(url: url)
    let error = #expect(throws: PostgresError.self) { _ = try Connection(options) }
    #expect(error?.kind == .configuration)
    #expect(error?.remedy == .halt)
    let shown =
      "\(String(describing: error)) \(String(reflecting: error)) \(options) \(String(reflecting: options))"
    for part in ["hunter2", "hun", "ter2"] { #expect(!shown.contains(part)) }
  }

  @Test(
    "the password never shows when options are printed",
    arguments: [
      "postgresql://ada:hunter2@db.example:5433/counts?sslpassword=hunter2",
      "host=db.example port=5433 dbname=counts user=ada password=hunter2",
    ]
  )
  func description(url: String) {
    let options = ConnectionOptions(url: url)
    var dumped = ""
    dump(options, to: &dumped)
    #expect("\(options)" == "db.example:5433/counts as ada")
    for shown in ["\(options)", String(reflecting: options), dumped] { #expect(!shown.contains("hunter2")) }
  }

  @Test("an @ that belongs to a user name in the query is no ambiguity")
  func queryWithAt() throws {
    let target = try ConnectionTarget(url: "postgresql://host/db?user=ada@server&password=p%40ss")
    #expect(target["user"] == "ada@server")
    #expect(target["password"] == "p@ss")
  }

  @Test("what the URL says wins over the defaults")
  func overrides() throws {
    var target = try ConnectionTarget(url: "postgresql://h/db?connect_timeout=3&keepalives_idle=9")
    target.setDefault("connect_timeout", "10")
    target.setDefault("tcp_user_timeout", "15000")
    target.set("client_encoding", "UTF8")
    #expect(target["connect_timeout"] == "3")
    #expect(target["keepalives_idle"] == "9")
    #expect(target["tcp_user_timeout"] == "15000")
    #expect(target["client_encoding"] == "UTF8")
  }

  @Test("an empty URL means libpq's defaults")
  func empty() throws {
    #expect(try ConnectionTarget(url: "").parameters.isEmpty)
  }
}
