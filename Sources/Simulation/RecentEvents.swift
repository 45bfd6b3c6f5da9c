/// The last counted events, to be sent again: a ring of fixed size.
///
/// Events are kept, not payloads: an event's payload is a function of the event, so a resend is byte for
/// byte what was sent, at 32 bytes an event.
struct RecentEvents: Sendable {
  /// A resend is "far" when it may be any of the last 200,000 counted events: farther than what a worker
  /// is likely to hold in one batch.
  static let capacity = 200_000
  /// A resend is "near" when it is one of the last 1,000: usually the same batch or the one before.
  static let near = 1_000

  private var events: [SimulatedEvent] = []
  private var next = 0

  var count: Int { events.count }

  mutating func append(_ event: SimulatedEvent) {
    if events.count < Self.capacity {
      events.append(event)
    } else {
      events[next] = event
    }
    next = next + 1 == Self.capacity ? 0 : next + 1
  }

  /// One of the last events, near or far with equal chance; `nil` before there was any.
  func pick(_ random: inout SeededRandom) -> SimulatedEvent? {
    guard !events.isEmpty else { return nil }
    let farthest = random.next() & 1 == 0 ? Self.near : Self.capacity
    let age = 1 + random.below(min(farthest, events.count))
    return events[next >= age ? next - age : next - age + events.count]
  }
}
