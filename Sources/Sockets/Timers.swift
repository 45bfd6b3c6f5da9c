import Threading

/// Deadlines in the order they come due: a binary heap.
struct Timers {
  struct Entry {
    let deadline: Instant
    let registration: Registration
  }

  private var heap: [Entry] = []

  var next: Instant { heap.first?.deadline ?? .never }
  var count: Int { heap.count }

  mutating func insert(_ deadline: Instant, _ registration: Registration) {
    heap.append(Entry(deadline: deadline, registration: registration))
    var child = heap.count - 1
    while child > 0, heap[child].deadline < heap[(child - 1) / 2].deadline {
      heap.swapAt(child, (child - 1) / 2)
      child = (child - 1) / 2
    }
  }

  /// The earliest deadline, taken out, if it is not after `now`.
  mutating func popDue(at now: Instant) -> Entry? {
    guard let first = heap.first, first.deadline <= now else { return nil }
    let last = heap.removeLast()
    if !heap.isEmpty {
      heap[0] = last
      sink()
    }
    return first
  }

  private mutating func sink() {
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2] where child < heap.count {
        if heap[child].deadline < heap[least].deadline { least = child }
      }
      guard least != parent else { return }
      heap.swapAt(parent, least)
      parent = least
    }
  }
}
