import ArgumentParser
import Counting
import Glibc
import Simulation

extension Simulate {
  private static let day: Int64 = 86_400_000_000

  /// What the options mean, given the time of day.
  func scenario(rate: Double, count: Int?) throws -> Scenario {
    let now = Timestamp.now
    var start = now
    if let text = try EnvironmentOption.value("start-time", startTime) {
      guard let given = Timestamp(rfc3339: text) else {
        throw ValidationError("--start-time must be an RFC 3339 time like 2026-11-01T00:00:00Z.")
      }
      start = given
    }
    // Without a rate, a second of the stream's clock must not depend on how fast the broker is.
    var clock = rate
    var backlog: Int64 = 0
    if rate == 0, let count {
      clock = max(2_000, Double(count) / 86_400)
      backlog = Int64(Double(count) / clock * 1_000_000)
    } else if rate == 0 {
      clock = 1_000_000
      backlog = 3_600_000_000
    }

    var scenario = Scenario(
      start: start,
      rate: clock,
      seed: try EnvironmentOption.value("seed", seed) ?? .random(in: .min ... .max)
    )
    scenario.backlog = backlog
    scenario.locations = try EnvironmentOption.value("locations", locations) ?? scenario.locations
    scenario.camerasPerLocation =
      try EnvironmentOption.value("cameras", cameras) ?? scenario.camerasPerLocation
    scenario.items = try EnvironmentOption.value("items", items) ?? scenario.items
    scenario.zipfExponent = try EnvironmentOption.value("zipf", zipf) ?? scenario.zipfExponent
    scenario.driftInterval = try seconds("drift", drift) ?? scenario.driftInterval
    scenario.jitter = try seconds("jitter", jitter) ?? scenario.jitter
    scenario.duplicates = try EnvironmentOption.value("duplicates", duplicates) ?? scenario.duplicates
    scenario.late = try EnvironmentOption.value("late", late) ?? 0
    scenario.lateBehind = try span("late-behind", lateBehind) ?? scenario.lateBehind
    scenario.future = try EnvironmentOption.value("future", future) ?? 0
    scenario.futureAhead = try span("future-ahead", futureAhead) ?? scenario.futureAhead
    scenario.malformed = try EnvironmentOption.value("malformed", malformed) ?? 0
    scenario.tombstones = try EnvironmentOption.value("tombstones", tombstones) ?? 0
    scenario.oidOrder = try EnvironmentOption.value("oids", oids) ?? scenario.oidOrder
    scenario.partitions = try EnvironmentOption.value("partitions", partitions) ?? scenario.partitions

    do { try scenario.validate() } catch { throw ValidationError("--\(error).") }
    try checkClock(start: start, now: now, scenario)
    return scenario
  }

  /// The truth is only true if what is meant as late or future is so by the clock of the database, which is not
  /// the stream's clock when that starts at another time than now.
  private func checkClock(start: Timestamp, now: Timestamp, _ scenario: Scenario) throws {
    let age = now.microseconds - start.microseconds  // start has been checked to be near our time
    guard age > -60_000_000 else {
      throw ValidationError("--start-time lies in the future: its events would not be counted.")
    }
    if scenario.future > 0, scenario.futureAhead - age < 600_000_000 {
      throw ValidationError(
        "--future-ahead must reach at least ten minutes beyond now, from --start-time on: "
          + "PT\(age / 60_000_000 + 11)M."
      )
    }
    if age > 6 * Self.day {
      Progress.report(
        "events of \(start) are late for a worker whose --dedup-horizon is the default of 7 days"
      )
    }
  }

  private func seconds(_ name: String, _ typed: Double?) throws -> Int64? {
    guard let value = try EnvironmentOption.value(name, typed) else { return nil }
    guard (0...1e9).contains(value) else { throw ValidationError("--\(name) must be a number of seconds.") }
    return Int64(value * 1_000_000)
  }

  private func span(_ name: String, _ typed: String?) throws -> Int64? {
    guard let text = try EnvironmentOption.value(name, typed) else { return nil }
    guard let span = TimeSpan(iso8601: text) else {
      throw ValidationError("--\(name) must be an ISO 8601 duration like P8D or PT1H.")
    }
    return span.microseconds
  }
}

extension Timestamp {
  /// This machine's time.
  fileprivate static var now: Timestamp {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Timestamp(microseconds: Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1_000)
  }
}
