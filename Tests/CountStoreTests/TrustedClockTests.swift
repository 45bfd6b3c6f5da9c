import Counting
import TestSupport
import Testing

@testable import CountStore

@Suite("the rule by which the database's clock is believed")
struct TrustedClockTests {
  private static let second: Int64 = 1_000_000
  private static let day = 86_400 * second
  /// 2026-12-01T00:00:00Z
  private static let now: Int64 = 1_796_083_200 * second

  private static func reading(
    database: Int64,
    worker: Int64,
    monotonic: Int64 = 120 * second,
    clock: String = "a",
    duration: Int64 = 0
  ) -> ClockReading {
    ClockReading(
      database: Timestamp(microseconds: database),
      worker: Timestamp(microseconds: worker),
      monotonic: monotonic,
      clockID: clock,
      duration: duration
    )
  }

  private static func anchor(_ database: Int64, monotonic: Int64 = 60 * second, clock: String = "a")
    -> ClockAnchor
  {
    ClockAnchor(clockID: clock, monotonic: monotonic, database: Timestamp(microseconds: database))
  }

  struct Case: Sendable, CustomTestStringConvertible {
    var name: String
    var reading: ClockReading
    var anchor: ClockAnchor?
    var broker: BrokerTime?
    /// The source and the agreed time, or the source and how far the database's clock is ahead.
    var agreed: (ClockSource, Int64)?
    var refused: (ClockSource, Int64)?

    var testDescription: String { name }
  }

  private static let cases: [Case] = [
    Case(
      name: "no link: wall clocks that agree are believed, and the earlier one is taken",
      reading: reading(database: now + 299 * second, worker: now),
      agreed: (.wallClock, now)
    ),
    Case(
      name: "no link: a database that is behind within the tolerance gives the time",
      reading: reading(database: now - 300 * second, worker: now),
      agreed: (.wallClock, now - 300 * second)
    ),
    Case(
      name: "no link: wall clocks that are apart are not believed",
      reading: reading(database: now + 301 * second, worker: now),
      refused: (.wallClock, 301 * second)
    ),
    Case(
      name: "no link: nor when the database is behind",
      reading: reading(database: now - 40 * day, worker: now),
      refused: (.wallClock, -40 * day)
    ),
    Case(
      name: "a link: the worker's wall clock may be anything",
      reading: reading(database: now, worker: now - 900 * day),
      anchor: anchor(now - 60 * second),
      agreed: (.monotonic, now)
    ),
    Case(
      name: "a link: 40 days ahead, on the worker's wall clock too, as on one host",
      reading: reading(database: now + 40 * day, worker: now + 40 * day),
      anchor: anchor(now - 60 * second),
      refused: (.monotonic, 40 * day)
    ),
    Case(
      name: "a link: a clock that was set back",
      reading: reading(database: now - 2 * day, worker: now),
      anchor: anchor(now - 60 * second),
      refused: (.monotonic, -2 * day)
    ),
    Case(
      name: "a link: a broker does not outvote it",
      reading: reading(database: now + 40 * day, worker: now),
      anchor: anchor(now - 60 * second),
      broker: BrokerTime(appended: Timestamp(microseconds: now + 40 * day), monotonic: 110 * second),
      refused: (.monotonic, 40 * day)
    ),
    Case(
      name: "an anchor of another machine, or of before its start, is no link",
      reading: reading(database: now, worker: now),
      anchor: anchor(now - 40 * day, clock: "b"),
      agreed: (.wallClock, now)
    ),
    Case(
      name: "a monotonic clock that has run backwards is no link",
      reading: reading(database: now, worker: now),
      anchor: anchor(now - 40 * day, monotonic: 121 * second),
      agreed: (.wallClock, now)
    ),
    Case(
      name: "after 10 days, a clock may have drifted by what NTP slews at most",
      reading: reading(database: now + 10 * day + 731 * second, worker: 0, monotonic: 60 * second + 10 * day),
      anchor: anchor(now),
      agreed: (.monotonic, now + 10 * day)
    ),
    Case(
      name: "after 10 days, and no further",
      reading: reading(database: now + 10 * day + 733 * second, worker: 0, monotonic: 60 * second + 10 * day),
      anchor: anchor(now),
      refused: (.monotonic, 733 * second)
    ),
    Case(
      name: "a slow answer of the database widens the tolerance by as much",
      reading: reading(database: now + 360 * second, worker: now, duration: 60 * second),
      agreed: (.wallClock, now)
    ),
    Case(
      name: "no link, wall clocks apart: the broker's time and what has passed since agree",
      reading: reading(database: now, worker: now - 900 * day),
      broker: BrokerTime(appended: Timestamp(microseconds: now - 30 * second), monotonic: 100 * second),
      agreed: (.broker, now - 10 * second)
    ),
    Case(
      name: "no link, wall clocks apart: an old message says nothing",
      reading: reading(database: now, worker: now - 900 * day),
      broker: BrokerTime(appended: Timestamp(microseconds: now - day), monotonic: 100 * second),
      refused: (.wallClock, 900 * day)
    ),
    Case(
      name: "an instant after the machine's start",
      reading: reading(database: now, worker: now, monotonic: 0),
      anchor: anchor(now, monotonic: 0),
      agreed: (.monotonic, now)
    ),
    Case(
      name: "the ends of the representable time, ahead",
      reading: reading(database: .max, worker: .min, monotonic: .max),
      anchor: anchor(.min, monotonic: .min),
      refused: (.monotonic, .max)
    ),
    Case(
      name: "the ends of the representable time, behind",
      reading: reading(database: .min, worker: .max, monotonic: .max, duration: .max),
      broker: BrokerTime(appended: Timestamp(microseconds: .max), monotonic: .min),
      agreed: nil,
      refused: nil
    ),
    Case(
      name: "a hundred years after the anchor",
      reading: reading(database: now + 36_500 * day, worker: 0, monotonic: 60 * second + 36_500 * day),
      anchor: anchor(now),
      agreed: (.monotonic, now + 36_500 * day)
    ),
  ]

  @Test("each case", arguments: TrustedClockTests.cases)
  func judges(_ test: Case) {
    do {
      let agreed = try TrustedClock.judge(test.reading, anchor: test.anchor, broker: test.broker)
      if let (source, time) = test.agreed {
        #expect(agreed.source == source && agreed.time.microseconds == time)
      } else if test.refused != nil {
        Issue.record("agreed by \(agreed.source) on \(agreed.time.microseconds)")
      }
    } catch {
      if let (source, ahead) = test.refused {
        #expect(error.source == source && error.ahead == ahead)
      } else if test.agreed != nil {
        Issue.record("refused: \(error.source) \(error.ahead)")
      }
    }
  }

  @Test(
    "whatever the readings, no agreed time is later than the database's clock or the second source, and nothing traps"
  )
  func properties() {
    var random = SeededGenerator(seed: 11)
    func anything() -> Int64 {
      switch Int.random(in: 0..<4, using: &random) {
      case 0: .max - .random(in: 0...1000, using: &random)
      case 1: .min + .random(in: 0...1000, using: &random)
      case 2: .random(in: -1000...1000, using: &random)
      default: .random(in: .min ... .max, using: &random)
      }
    }
    for _ in 0..<20_000 {
      let near = Bool.random(using: &random)
      let database = near ? Self.now + .random(in: -400...400, using: &random) * Self.second : anything()
      let reading = Self.reading(
        database: database,
        worker: near ? Self.now : anything(),
        monotonic: anything(),
        duration: near ? 0 : anything()
      )
      let anchor = Bool.random(using: &random) ? Self.anchor(anything(), monotonic: anything()) : nil
      let broker = BrokerTime(appended: Timestamp(microseconds: anything()), monotonic: anything())
      guard let agreed = try? TrustedClock.judge(reading, anchor: anchor, broker: broker) else { continue }
      #expect(agreed.time <= reading.database)
      if agreed.source == .wallClock { #expect(agreed.time <= reading.worker) }
      #expect(agreed.limited(to: Timestamp(microseconds: anything())).time <= agreed.time)
      #expect(agreed.ago(anything()) <= agreed.time)
      // A link stays: no agreement makes it possible to follow a clock step by step.
      let next = TrustedClock.anchor(after: reading, replacing: anchor)
      if agreed.source == .monotonic { #expect(next == nil) }
    }
  }

  @Test("a clock that runs ahead a little at a time is not followed further than the tolerance and the drift")
  func creeping() {
    let first = Self.reading(database: Self.now, worker: Self.now, monotonic: 0)
    guard let anchor = TrustedClock.anchor(after: first, replacing: nil) else {
      Issue.record("no anchor")
      return
    }
    var furthest: Int64 = 0
    // A second each minute, for ten hours.
    for minute in Int64(1)...600 {
      let passed = minute * 60 * Self.second
      let reading = Self.reading(
        database: Self.now + passed + minute * Self.second,
        worker: Self.now + passed + minute * Self.second,
        monotonic: passed
      )
      guard (try? TrustedClock.judge(reading, anchor: anchor)) != nil else { continue }
      furthest = minute
    }
    #expect(furthest >= 300 && furthest <= 312)
  }

  @Test(
    "a disagreement says in words how far the clocks are apart, and a reading that took long is no anchor"
  )
  func words() {
    let words = ClockDisagreement(
      source: .monotonic,
      ahead: 40 * Self.day,
      database: Timestamp(microseconds: Self.now)
    ).description
    #expect(words.contains("40 days ahead of") && words.contains("2026-12-01T00:00:00Z"), "\(words)")
    let slow = Self.reading(database: Self.now, worker: Self.now, duration: 11 * Self.second)
    #expect(TrustedClock.anchor(after: slow, replacing: nil) == nil)
  }
}
