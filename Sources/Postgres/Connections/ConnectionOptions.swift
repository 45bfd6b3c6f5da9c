/// How to reach PostgreSQL and how a session is set up.
///
/// What the URL says (any libpq parameter, e.g. `?connect_timeout=5&keepalives_idle=3`) wins over the
/// properties here. Nothing that prints these options shows the password.
public struct ConnectionOptions: Sendable {
  /// `postgresql://user:password@host:port/database?parameter=value`, or libpq's `name=value` form. Empty
  /// means libpq's defaults and `PG…` environment variables.
  let url: String
  /// Shown in `pg_stat_activity`.
  public var applicationName = "topitems"
  /// Seconds for one attempt to connect to one address, at least 2 (libpq's own minimum).
  public var connectTimeout = 10
  /// Seconds of silence before TCP asks the server whether it is still there.
  public var keepalivesIdle = 5
  /// Seconds between two such probes.
  public var keepalivesInterval = 5
  /// Unanswered probes before the connection counts as lost: with the defaults after 15 s.
  public var keepalivesCount = 2
  /// Milliseconds that sent data may stay unacknowledged before the connection counts as lost.
  public var tcpUserTimeout = 15_000
  /// Seconds without a byte from the server, while a response is due, after which the connection counts as lost; nil
  /// for never. For what TCP cannot notice, a proxy or server that hangs while its kernel lives; so it must be longer
  /// than `statement_timeout`.
  public var answerTimeout: Int?
  /// Whether only a session that can write will do: of several hosts libpq then passes over a standby, and one that is
  /// read-only is refused at once (`target_session_attrs=read-write`, where the URL does not say otherwise).
  public var needsToWrite = false
  /// Prepared statements kept per connection; the least recently used one is dropped.
  public var statementCacheSize = 256
  /// Session settings by name, e.g. `("lock_timeout", "5s")`, applied once connected. `TimeZone`, `DateStyle`
  /// and `standard_conforming_strings` are always UTC, ISO and on.
  public var settings: [(name: String, value: String)] = []

  /// Options with defaults for everything but the URL, which is checked when a connection is made.
  public init(url: String) {
    self.url = url
  }
}

extension ConnectionOptions: CustomStringConvertible, CustomDebugStringConvertible, CustomReflectable {
  /// Host, port, database and user.
  public var description: String {
    guard let target = try? ConnectionTarget(url: url) else { return "an invalid database URL" }
    return target.description
  }

  /// The same as ``description``: a debugger or a test failure must not show the password either.
  public var debugDescription: String { description }

  /// Without the URL.
  public var customMirror: Mirror {
    Mirror(self, children: ["target": description, "applicationName": applicationName])
  }
}
