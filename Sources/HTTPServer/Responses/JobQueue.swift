/// Jobs that wait for threads, in a fair queue over the networks that their clients are in.
///
/// The network that has the fewest jobs running, and whose last turn is the longest ago, is next; so one that asks
/// rarely goes before those that ask for much. One network alone may fill the queue; when it is full, the newest job
/// of the network with the most of them makes room for one with fewer. It has no threads and no clock.
struct JobQueue {
  /// What is to be run.
  struct Job: Sendable {
    let run: @Sendable () -> Void
    /// Is called instead of `run` when the job is displaced; nil: it cannot be.
    let drop: (@Sendable () -> Void)?
  }

  /// A job that waits.
  struct Ticket: Sendable {
    fileprivate let network: ClientNetwork?
    fileprivate let number: UInt64
  }

  /// A job that runs.
  struct Turn: Sendable {
    fileprivate let network: ClientNetwork?
    fileprivate let isBehind: Bool
  }

  /// Which requests wait for a thread while all threads are busy.
  enum Need: Sendable {
    case none
    case sameNetwork
    case others
  }

  private struct Lane {
    var waiting: [(number: UInt64, job: Job)] = []
    var running = 0
    var lastTurn: UInt64 = 0
  }

  private(set) var waiting = 0
  private(set) var running = 0
  private let capacity: Int
  private let threads: Int
  private let share: Int
  private let isBehind: @Sendable (ClientNetwork) -> Bool
  private var runningBehind = 0
  private var lanes: [ClientNetwork?: Lane] = [:]
  private var lastNumber: UInt64 = 0

  /// - Parameters:
  ///   - capacity: how many jobs may wait.
  ///   - threads: how many may run.
  ///   - share: how many of one network may run.
  ///   - isBehind: whether a network has much to read of earlier responses. All such networks together have a quarter
  ///     of the threads, and come after the others.
  init(
    capacity: Int,
    threads: Int,
    share: Int = .max,
    isBehind: @escaping @Sendable (ClientNetwork) -> Bool = { _ in false }
  ) {
    self.capacity = capacity
    self.threads = threads
    self.share = share
    self.isBehind = isBehind
  }

  /// Queues a job of a client, or of none; nil when too much waits already.
  ///
  /// - Returns: its ticket, and the job that made room for it.
  mutating func add(_ job: Job, of network: ClientNetwork?) -> (ticket: Ticket, displaced: Job?)? {
    let own = lanes[network]?.waiting.count ?? 0
    // What cannot be displaced leaves room for others by itself.
    if job.drop == nil, network != nil, own >= max(1, capacity / 2) { return nil }
    var displaced: Job?
    if waiting >= capacity {
      displaced = displace(forOneWith: own)
      guard displaced != nil else { return nil }
    }
    lastNumber += 1
    lanes[network, default: Lane()].waiting.append((lastNumber, job))
    waiting += 1
    return (Ticket(network: network, number: lastNumber), displaced)
  }

  private mutating func displace(forOneWith count: Int) -> Job? {
    let longest = lanes.filter { $0.value.waiting.last?.job.drop != nil }
      .max { $0.value.waiting.count < $1.value.waiting.count }
    guard let longest, longest.value.waiting.count > count + 1 else { return nil }
    waiting -= 1
    return lanes[longest.key]?.waiting.removeLast().job
  }

  /// The next job to run; nil while there is none that may.
  mutating func next() -> (job: Job, turn: Turn)? {
    guard waiting > 0 else { return nil }
    var best: (network: ClientNetwork?, rank: Rank)?
    for (network, lane) in lanes {
      guard let rank = rank(network, lane) else { continue }
      if let found = best, found.rank <= rank { continue }
      best = (network, rank)
    }
    guard let best, var lane = lanes[best.network] else { return nil }
    let job = lane.waiting.removeFirst().job
    lane.running += 1
    lastNumber += 1
    lane.lastTurn = lastNumber
    lanes[best.network] = lane
    waiting -= 1
    running += 1
    if best.rank.isBehind { runningBehind += 1 }
    return (job, Turn(network: best.network, isBehind: best.rank.isBehind))
  }

  private struct Rank {
    let isBehind: Bool
    let running: Int
    let lastTurn: UInt64
    let number: UInt64

    static func <= (left: Self, right: Self) -> Bool {
      (left.isBehind ? 1 : 0, left.running, left.lastTurn, left.number)
        <= (right.isBehind ? 1 : 0, right.running, right.lastTurn, right.number)
    }
  }

  private func rank(_ network: ClientNetwork?, _ lane: Lane) -> Rank? {
    guard let first = lane.waiting.first, lane.running < share || network == nil else { return nil }
    let isBehind = network.map(isBehind) ?? false
    guard !isBehind || runningBehind < max(1, threads / 4) else { return nil }
    return Rank(isBehind: isBehind, running: lane.running, lastTurn: lane.lastTurn, number: first.number)
  }

  /// A job has run.
  mutating func finish(_ turn: Turn) {
    running -= 1
    if turn.isBehind { runningBehind -= 1 }
    lanes[turn.network]?.running -= 1
    forgetIfDone(turn.network)
  }

  /// Takes a job back; whether it still waited.
  mutating func remove(_ ticket: Ticket) -> Bool {
    guard let place = lanes[ticket.network]?.waiting.firstIndex(where: { $0.number == ticket.number }) else {
      return false
    }
    lanes[ticket.network]?.waiting.remove(at: place)
    waiting -= 1
    forgetIfDone(ticket.network)
    return true
  }

  mutating func removeAll() {
    lanes = lanes.filter { $0.value.running > 0 }.mapValues { Lane(running: $0.running) }
    waiting = 0
  }

  /// Which requests need the thread of a job of `network`; those of networks that are behind themselves do not count.
  func need(besides network: ClientNetwork?) -> Need {
    guard waiting > 0, running >= threads else { return .none }
    var need = Need.none
    for (other, lane) in lanes {
      guard let rank = rank(other, lane), !rank.isBehind else { continue }
      if other != network { return .others }
      need = .sameNetwork
    }
    return need
  }

  private mutating func forgetIfDone(_ network: ClientNetwork?) {
    if let lane = lanes[network], lane.waiting.isEmpty, lane.running == 0 { lanes[network] = nil }
  }
}
