public import Counting

/// A time that a second source agrees with: what retention may take for the present.
///
/// Whatever destroys data, or decides at which level it is summed, takes its time from such a value and not from the
/// database's clock. Only ``TrustedClock`` makes one, so that a caller cannot forget to ask.
public struct AgreedTime: Sendable, Equatable {
  /// Not later than the database's clock, nor than the second source.
  public let time: Timestamp
  /// What agreed with the database's clock.
  public let source: ClockSource

  fileprivate init(_ time: Timestamp, _ source: ClockSource) {
    self.time = time
    self.source = source
  }

  /// The same, or an earlier time: what has been agreed covers everything before it.
  public func limited(to other: Timestamp) -> AgreedTime { AgreedTime(min(time, other), source) }

  /// So many seconds before it, or the start of the representable time.
  func ago(_ seconds: Int64) -> Timestamp {
    let (span, overflow) = max(0, seconds).multipliedReportingOverflow(by: 1_000_000)
    return Timestamp(microseconds: time.microseconds.saturatingMinus(overflow ? .max : span))
  }
}

/// What confirmed a reading of the database's clock.
public enum ClockSource: String, Sendable, CaseIterable {
  /// The time that passed by the worker's monotonic clock since an earlier agreement.
  case monotonic
  /// The worker's wall clock.
  case wallClock = "wall_clock"
  /// The broker's time on a message (`LogAppendTime`).
  case broker
  /// An operator.
  case operatorsWord = "operator"
}

/// One reading of the clocks. All times are microseconds.
public struct ClockReading: Sendable, Equatable {
  /// The database's clock.
  public var database: Timestamp
  /// The worker's wall clock.
  public var worker: Timestamp
  /// The worker's monotonic clock, from whatever beginning, read before the database's.
  public var monotonic: Int64
  /// Which monotonic clock it is: readings of different ones cannot be compared.
  public var clockID: String
  /// How long the reading took, by the monotonic clock: the database's may have been read at any moment of it.
  public var duration: Int64

  /// A reading.
  public init(database: Timestamp, worker: Timestamp, monotonic: Int64, clockID: String, duration: Int64 = 0)
  {
    self.database = database
    self.worker = worker
    self.monotonic = monotonic
    self.clockID = clockID
    self.duration = duration
  }
}

/// An earlier agreement, from which a monotonic clock measures the time.
public struct ClockAnchor: Sendable, Equatable {
  /// See `ClockReading.clockID`.
  public var clockID: String
  /// The monotonic clock then, in microseconds.
  public var monotonic: Int64
  /// The database's clock then.
  public var database: Timestamp

  /// An anchor.
  public init(clockID: String, monotonic: Int64, database: Timestamp) {
    self.clockID = clockID
    self.monotonic = monotonic
    self.database = database
  }
}

/// The newest time that a broker has put on a message (`LogAppendTime`), and when this process saw it.
public struct BrokerTime: Sendable, Equatable {
  /// The broker's time.
  public var appended: Timestamp
  /// This process's monotonic clock, in microseconds, when it saw the message.
  public var monotonic: Int64

  /// A broker's time.
  public init(appended: Timestamp, monotonic: Int64) {
    self.appended = appended
    self.monotonic = monotonic
  }
}

/// Why the database's clock is not agreed.
public struct ClockDisagreement: Error, Sendable, Equatable {
  /// What it was compared with.
  public var source: ClockSource
  /// How far the database's clock is ahead of it, in microseconds; negative when it is behind.
  public var ahead: Int64
  /// What the database's clock showed.
  public var database: Timestamp
}

/// The rule by which the database's clock is accepted. It does no I/O; docs/decisions/clocks.md has the reasons.
///
/// 1. Where a monotonic clock links the reading to an earlier agreement, it alone decides: the database's clock must
/// have
///    gone as far as the monotonic one, within ``tolerance`` and ``driftPerMillion``.
/// 2. Where nothing links them (another machine, or it was restarted), the worker's wall clock or a broker's time must
///    agree with the database's clock within ``tolerance``.
/// 3. Otherwise only an operator can say that it is right.
public enum TrustedClock {
  /// How far two clocks may be apart, in microseconds: five minutes, the usual allowed skew of cameras. It does not
  /// follow `--allowed-skew`, which some must set to days for the sake of a camera.
  public static let tolerance: Int64 = 300_000_000
  /// How much faster or slower than the monotonic clock the database's may run: what NTP slews at most.
  public static let driftPerMillion: Int64 = 500
  /// A reading that took longer, in microseconds, is no anchor for later ones.
  public static let longestAnchoredReading: Int64 = 10_000_000

  /// Whether a reading can be accepted.
  /// - Parameters:
  ///   - anchor: the earlier agreement that is stored for this monotonic clock, if there is one.
  ///   - broker: the newest broker's time, if one is known.
  /// - Returns: the agreed time, never later than the database's clock.
  /// - Throws: `ClockDisagreement`.
  public static func judge(_ reading: ClockReading, anchor: ClockAnchor?, broker: BrokerTime? = nil)
    throws(ClockDisagreement) -> AgreedTime
  {
    let slack = tolerance.saturatingPlus(max(0, reading.duration))
    if let anchor, links(anchor, reading) {
      let passed = reading.monotonic.saturatingMinus(anchor.monotonic)
      let expected = anchor.database.microseconds.saturatingPlus(passed)
      let drift = passed / (1_000_000 / driftPerMillion)
      return try compare(reading.database, with: expected, .monotonic, within: slack.saturatingPlus(drift))
    }
    do {
      return try compare(reading.database, with: reading.worker.microseconds, .wallClock, within: slack)
    } catch {
      guard let broker, reading.monotonic >= broker.monotonic else { throw error }
      let passed = reading.monotonic.saturatingMinus(broker.monotonic)
      let expected = broker.appended.microseconds.saturatingPlus(passed)
      guard let agreed = try? compare(reading.database, with: expected, .broker, within: slack) else {
        throw error
      }
      return agreed
    }
  }

  /// The time of a reading that an operator answers for.
  public static func believe(_ reading: ClockReading) -> AgreedTime {
    AgreedTime(reading.database, .operatorsWord)
  }

  /// The anchor to store after an agreement; nil where one links already, or where the reading took too long.
  public static func anchor(after reading: ClockReading, replacing anchor: ClockAnchor?) -> ClockAnchor? {
    if let anchor, links(anchor, reading) { return nil }
    guard reading.duration <= longestAnchoredReading else { return nil }
    return ClockAnchor(clockID: reading.clockID, monotonic: reading.monotonic, database: reading.database)
  }

  /// A clock that has run backwards is a different clock, whatever its name.
  private static func links(_ anchor: ClockAnchor, _ reading: ClockReading) -> Bool {
    anchor.clockID == reading.clockID && anchor.monotonic <= reading.monotonic
  }

  private static func compare(
    _ database: Timestamp,
    with second: Int64,
    _ source: ClockSource,
    within slack: Int64
  ) throws(ClockDisagreement) -> AgreedTime {
    let ahead = database.microseconds.saturatingMinus(second)
    guard ahead.magnitude <= slack.magnitude else {
      throw ClockDisagreement(source: source, ahead: ahead, database: database)
    }
    return AgreedTime(min(database, Timestamp(microseconds: second)), source)
  }
}

extension ClockDisagreement: CustomStringConvertible {
  /// What is wrong and what follows, for a log and a probe.
  public var description: String {
    let seconds = ahead.magnitude / 1_000_000
    let span =
      seconds < 600
      ? "\(seconds) s"
      : seconds < 172_800 ? "\((seconds + 30) / 60) min" : "\((seconds + 43_200) / 86_400) days"
    let direction = ahead < 0 ? "behind" : "ahead of"
    let other =
      switch source {
      case .monotonic: "what has passed on this machine's monotonic clock since the clocks last agreed"
      case .wallClock: "this machine's clock, and no third source shows which of them is right"
      case .broker: "the brokers' clock"
      case .operatorsWord: "what the operator says"
      }
    return "the database's clock (\(database.rfc3339)) is \(span) \(direction) \(other)"
  }
}

extension Int64 {
  /// The sum, or the nearest value that there is.
  func saturatingPlus(_ other: Int64) -> Int64 {
    let (sum, overflow) = addingReportingOverflow(other)
    return overflow ? (other < 0 ? .min : .max) : sum
  }

  /// The difference, or the nearest value that there is.
  func saturatingMinus(_ other: Int64) -> Int64 {
    let (difference, overflow) = subtractingReportingOverflow(other)
    return overflow ? (other < 0 ? .max : .min) : difference
  }
}
