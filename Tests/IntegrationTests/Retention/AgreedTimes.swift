import CountStore
import Counting
import Postgres

/// Times that two clocks agree on, made by the rule itself.
extension AgreedTime {
  /// A time of the test's own (microseconds since 1970).
  static func agreed(_ microseconds: Int64) -> AgreedTime {
    let time = Timestamp(microseconds: microseconds)
    return TrustedClock.believe(ClockReading(database: time, worker: time, monotonic: 0, clockID: "test"))
  }

  /// The present, by the database's clock and this machine's.
  static func current(_ connection: Connection) throws -> AgreedTime {
    try CountStore(connection).checkClock().verdict.get()
  }
}
