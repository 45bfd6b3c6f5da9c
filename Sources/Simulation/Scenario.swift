import Counting

/// What is simulated: the cameras, what they see, and which share of their messages goes wrong in which way.
///
/// Two streams of equal scenarios are equal byte for byte.
public struct Scenario: Sendable, Equatable {
  /// How the `detection_oid`s of consecutive events relate: scattered over all positive 64-bit integers, or
  /// growing by one.
  public enum OidOrder: String, Sendable, CaseIterable {
    case random
    case ascending
  }

  /// Number of locations; their identifiers are 1, 2, 3…
  public var locations = 20
  /// Number of cameras at each location.
  public var camerasPerLocation = 5
  /// Number of different item names, the same for all locations.
  public var items = 200
  /// The exponent of the items' Zipf distribution; 0 makes all equally frequent.
  public var zipfExponent = 1.1
  /// Microseconds of event time between two changes in a location's order of items; 0 for none.
  public var driftInterval: Int64 = 2_000_000

  /// The start of the stream's clock.
  public var start: Timestamp
  /// Messages in one second of the stream's clock: the n-th message is made at `start + n / rate`.
  public var rate: Double
  /// An event happened up to this many microseconds before its message was made, mostly much less.
  public var jitter: Int64 = 3_000_000
  /// Late events happened this many microseconds, or up to a day more, before their message was made.
  public var lateBehind: Int64 = 8 * 86_400_000_000
  /// Future events happen this many microseconds, or up to a day more, after their message was made.
  public var futureAhead: Int64 = 3_600_000_000

  /// Share of the messages that are sent again: byte for byte an earlier message that counted.
  public var duplicates = 0.1
  /// Share of events too old to be counted.
  public var late = 0.0
  /// Share of events too far ahead to be counted.
  public var future = 0.0
  /// Share of messages that are no events: ``MalformedPayload/all``, one after the other.
  public var malformed = 0.0
  /// Share of messages without a payload.
  public var tombstones = 0.0

  /// Number of partitions to which resends stray.
  public var partitions: Int32 = 4
  /// The order of the identifiers.
  public var oidOrder = OidOrder.random
  /// Decides everything that is left to chance. Different seeds make different `detection_oid`s.
  public var seed: UInt64

  /// The default cameras, from `start` on.
  public init(start: Timestamp, rate: Double, seed: UInt64) {
    self.start = start
    self.rate = rate
    self.seed = seed
  }

  /// Checks that the scenario can be played.
  public func validate() throws(ScenarioError) {
    try require((1...100_000).contains(locations), "locations", "1 to 100,000")
    // Camera identifiers leave four digits to the number within the location.
    try require((1...9_999).contains(camerasPerLocation), "cameras", "1 to 9,999")
    try require((1...100_000).contains(items), "items", "1 to 100,000")
    try require(locations * items <= 20_000_000, "items", "at most 20,000,000 divided by locations")
    try require((0...10).contains(zipfExponent), "zipf", "0 to 10")
    try require((0...Self.year).contains(driftInterval), "drift", "at most 365 days")
    try require((0.001...100_000_000).contains(rate), "rate", "0.001 to 100,000,000")
    try require((0...6 * 86_400_000_000).contains(jitter), "jitter", "at most 6 days")
    try require((0...100 * Self.year).contains(lateBehind), "late-behind", "at most 100 years")
    try require((0...100 * Self.year).contains(futureAhead), "future-ahead", "at most 100 years")
    try require(Self.starts.contains(start.microseconds), "start-time", "a time from 1900 to 2200")
    try require((1...100_000).contains(partitions), "partitions", "1 to 100,000")
    for (name, share) in [
      ("duplicates", duplicates), ("late", late), ("future", future), ("malformed", malformed),
      ("tombstones", tombstones),
    ] { try require((0...1).contains(share), name, "a share from 0 to 1") }
    let sum = duplicates + late + future + malformed + tombstones
    try require(sum <= 1, "duplicates, late, future, malformed and tombstones", "at most 1 together")
  }

  private static let year: Int64 = 365 * 86_400_000_000
  /// 1900-01-01 to 2200-01-01: far enough from the ends of RFC 3339's years, whatever is added or taken away.
  private static let starts: ClosedRange<Int64> = -25_567 * 86_400_000_000...84_006 * 86_400_000_000

  private func require(_ condition: Bool, _ parameter: String, _ range: String) throws(ScenarioError) {
    if !condition { throw ScenarioError(parameter: parameter, range: range) }
  }
}

/// A scenario that cannot be played.
public struct ScenarioError: Error, Equatable, CustomStringConvertible {
  /// The parameter, named like the command line's option.
  public let parameter: String
  /// What it may be.
  public let range: String

  /// One line for people.
  public var description: String { "\(parameter) must be \(range)" }
}
