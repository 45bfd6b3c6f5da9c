import Counting

/// Paces change notifications: each location's come at once, but at most 20 times a second, to responses about it
/// alone, and all locations' together at most 20 times a second to responses about several.
///
/// So no response is recomputed more often than that, however many batches commit; and a location where little happens
/// is not behind because much happens elsewhere.
struct ChangeThrottle {
  /// How many busy locations have a rate of their own. Changes of further ones pass with those of all locations.
  static let limit = 4096

  /// Those of the locations that have changed lately.
  private var lanes: [Int64: NotificationRate] = [:]
  /// Locations that have changed since their lane was free.
  private var waiting: Set<Int64> = []
  /// Changed locations without a lane.
  private var laneless: Set<Int64> = []
  private var together = NotificationRate()
  /// Changes that responses about several locations have not received.
  private var gathered = Gathered()

  private struct Gathered {
    /// Whether there is anything.
    var isAny = false
    /// nil: any may have changed.
    var locations: Set<Int64>? = []
    var newestEvent: Timestamp?
  }

  /// Returns what may pass now, of these notices and of earlier ones.
  mutating func take(_ notices: [RevisionNotice], at now: ContinuousClock.Instant) -> CommittedChanges {
    for notice in notices { add(notice) }
    var changes = CommittedChanges()
    var free: [Int64] = []
    for location in waiting where lanes[location]?.take(at: now) ?? false { free.append(location) }
    waiting.subtract(free)
    changes.alone = free
    if gathered.isAny, together.take(at: now) { release(into: &changes, now) }
    return changes
  }

  /// When the next waiting change may pass; nil when none waits.
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
        lanes[location] = NotificationRate()
      }
      waiting.insert(location)
    }
  }

  /// Passes all gathered changes.
  private mutating func release(into changes: inout CommittedChanges, _ now: ContinuousClock.Instant) {
    changes.newestEvent = gathered.newestEvent
    changes.together = gathered.locations.map { Array($0) }
    if gathered.locations == nil {
      changes.alone = nil
      waiting = []
      for location in lanes.keys { lanes[location]?.spend(at: now) }
    } else {
      changes.alone?.append(contentsOf: laneless)
    }
    laneless = []
    gathered = Gathered()
    lanes = lanes.filter { waiting.contains($0.key) || !$0.value.isRested(at: now) }
  }
}

/// How often something may happen: at once while that is up to 15 times a second, and never more than 20 times in a
/// second.
struct NotificationRate {
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
