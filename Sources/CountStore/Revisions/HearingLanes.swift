import Counting

/// Paces the news of changes: each location's come at once, but at most 20 times a second, to answers about it alone, and
/// all locations' together at most 20 times a second to answers about several.
///
/// So no answer is recomputed more often than that, however many batches commit; and a location where little happens is
/// not behind because much happens elsewhere.
struct HearingLanes {
  /// More busy locations than these have no lane of their own: they are heard of together with all.
  static let limit = 4096

  /// Those of the locations that have changed lately.
  private var lanes: [Int64: HearingPace] = [:]
  /// Locations that have changed since their lane was free.
  private var waiting: Set<Int64> = []
  /// Changed locations without a lane.
  private var laneless: Set<Int64> = []
  private var together = HearingPace()
  /// What answers about several locations have not heard of.
  private var gathered = Gathered()

  private struct Gathered {
    /// Whether there is anything.
    var isAny = false
    /// nil: any may have changed.
    var locations: Set<Int64>? = []
    var newestEvent: Timestamp?
  }

  /// What may be told now: of these notices, and of earlier ones.
  mutating func take(_ notices: [RevisionNotice], at now: ContinuousClock.Instant) -> HeardRevisions {
    for notice in notices { add(notice) }
    var heard = HeardRevisions()
    var free: [Int64] = []
    for location in waiting where lanes[location]?.take(at: now) ?? false { free.append(location) }
    waiting.subtract(free)
    heard.alone = free
    if gathered.isAny, together.take(at: now) { release(into: &heard, now) }
    return heard
  }

  /// When something that waits may be told; nil when nothing does.
  func due(after now: ContinuousClock.Instant) -> ContinuousClock.Instant? {
    let all = gathered.isAny ? together.next(after: now) : nil
    let alone = waiting.lazy.compactMap { lanes[$0]?.next(after: now) }.min()
    guard let all, let alone else { return all ?? alone }
    return min(all, alone)
  }

  private mutating func add(_ notice: RevisionNotice) {
    gathered.isAny = true
    gathered.newestEvent = [gathered.newestEvent, notice.newestEvent].compactMap(\.self).max()
    guard let locations = notice.locations else {
      gathered.locations = nil
      return
    }
    gathered.locations?.formUnion(locations)
    for location in locations {
      if lanes[location] == nil {
        guard lanes.count < Self.limit else {
          laneless.insert(location)
          continue
        }
        lanes[location] = HearingPace()
      }
      waiting.insert(location)
    }
  }

  /// Tells what has gathered.
  private mutating func release(into heard: inout HeardRevisions, _ now: ContinuousClock.Instant) {
    heard.newestEvent = gathered.newestEvent
    heard.together = gathered.locations.map { Array($0) }
    if gathered.locations == nil {
      heard.alone = nil
      waiting = []
      for location in lanes.keys { lanes[location]?.spend(at: now) }
    } else {
      heard.alone?.append(contentsOf: laneless)
    }
    laneless = []
    gathered = Gathered()
    lanes = lanes.filter { waiting.contains($0.key) || !$0.value.isRested(at: now) }
  }
}

/// How often something may happen: at once while that is up to 15 times a second, and never more than 20 times in a second.
struct HearingPace {
  private static let interval = Duration.seconds(1) / 15
  private static let burst = 5
  /// When the next one would be due if they came evenly.
  private var due: ContinuousClock.Instant?

  /// When it may happen next.
  func next(after now: ContinuousClock.Instant) -> ContinuousClock.Instant {
    due.map { max(now, $0 - Self.interval * (Self.burst - 1)) } ?? now
  }

  /// Whether nothing is left of what has happened.
  func isRested(at now: ContinuousClock.Instant) -> Bool { due.map { $0 <= now } ?? true }

  /// It happens now, unless that is too early.
  mutating func take(at now: ContinuousClock.Instant) -> Bool {
    guard next(after: now) <= now else { return false }
    spend(at: now)
    return true
  }

  /// It happens now. If that was too early, the next one waits no longer for it than one interval.
  mutating func spend(at now: ContinuousClock.Instant) {
    due = min(max(due ?? now, now) + Self.interval, now + Self.interval * Self.burst)
  }
}
