import Glibc
import Threading

/// Something with a descriptor that an event loop watches.
public protocol EventSource: AnyObject {
  /// The descriptor is ready for something.
  func ready(_ readiness: Readiness)
  /// The deadline has passed; none is set now.
  func expired()
}

/// One thread's loop over epoll: calls sources that are ready or whose deadline has passed.
///
/// It belongs to the thread that runs it. Other threads reach it through an `Inbox` only.
public final class EventLoop {
  private struct Slot {
    let registration: Registration
    let source: any EventSource
    var interest: Interest
    var deadline = Instant.never
    /// The earliest entry in the heap that counts; others of this slot are out of date, and are dropped when due.
    var scheduled = Instant.never
  }

  /// The time at which this turn began, or now when the loop is not running.
  public private(set) var now = Instant.now()
  /// Runs at the start of each turn, after the wait.
  public var onTurn: () -> Void = {}

  private let epoll: Epoll
  /// By descriptor: the kernel keeps these numbers small and dense.
  private var slots: [Slot?] = []
  private var nextID: UInt32 = 0
  private var timers = Timers()
  private var isStopped = false

  /// A loop that watches nothing yet.
  public init() throws(SystemError) {
    epoll = try Epoll()
  }

  /// Watches `descriptor` for `source`, which is kept until it is deregistered. The owner of the descriptor
  /// deregisters before it closes.
  public func register(
    _ source: any EventSource,
    descriptor: Int32,
    interest: Interest
  ) throws(SystemError) -> Registration {
    let index = Int(descriptor)
    if index >= slots.count { slots.append(contentsOf: repeatElement(nil, count: index + 1 - slots.count)) }
    precondition(slots[index] == nil, "the descriptor is registered already")
    nextID = nextID == .max ? 1 : nextID + 1
    let registration = Registration(id: nextID, descriptor: descriptor)
    try epoll.add(registration, interest)
    slots[index] = Slot(registration: registration, source: source, interest: interest)
    return registration
  }

  /// Changes what is waited for; free of cost when nothing changes.
  public func setInterest(_ interest: Interest, of registration: Registration) throws(SystemError) {
    guard var slot = slot(of: registration), slot.interest != interest else { return }
    try epoll.modify(registration, interest)
    slot.interest = interest
    slots[Int(registration.descriptor)] = slot
  }

  /// Sets the one deadline of a source; `.never` takes it back. Moving a deadline to a later time costs a store.
  public func setDeadline(_ deadline: Instant, of registration: Registration) {
    let index = Int(registration.descriptor)
    guard slot(of: registration) != nil else { return }
    slots[index]?.deadline = deadline
    if let scheduled = slots[index]?.scheduled, deadline < scheduled {
      slots[index]?.scheduled = deadline
      timers.insert(deadline, registration)
    }
  }

  /// Removes a source. Events that the kernel has already reported are dropped.
  public func deregister(_ registration: Registration) {
    guard slot(of: registration) != nil else { return }
    slots[Int(registration.descriptor)] = nil
    // It fails only for a descriptor that was not added, which the slot rules out.
    try? epoll.remove(registration)
  }

  /// The source registered so, if it still is.
  public func source(of registration: Registration) -> (any EventSource)? {
    slot(of: registration)?.source
  }

  /// Ends `run` after this turn.
  public func stop() { isStopped = true }

  /// Runs on this thread until `stop`. Throws only if epoll itself fails.
  public func run() throws(SystemError) {
    var slice = TimeSlice(at: Instant.now())
    while !isStopped {
      let begin = Instant.now()
      if slice.isOver(at: begin) { sched_yield() }
      now = begin
      let timeout = timers.next == .never ? -1 : now.milliseconds(until: timers.next, limit: 60_000)
      let count = try epoll.wait(milliseconds: timeout)
      now = Instant.now()
      slice.waited(from: begin, until: now)
      onTurn()
      for index in 0..<count {
        let (registration, readiness) = epoll[index]
        slot(of: registration)?.source.ready(readiness)
      }
      expireTimers()
    }
  }

  private func expireTimers() {
    while let due = timers.popDue(at: now) {
      let index = Int(due.registration.descriptor)
      guard let slot = slot(of: due.registration), slot.scheduled == due.deadline else { continue }
      if slot.deadline <= now {
        slots[index]?.scheduled = .never
        slots[index]?.deadline = .never
        slot.source.expired()
      } else {
        slots[index]?.scheduled = slot.deadline
        if slot.deadline != .never { timers.insert(slot.deadline, due.registration) }
      }
    }
  }

  private func slot(of registration: Registration) -> Slot? {
    let index = Int(registration.descriptor)
    guard index < slots.count, let slot = slots[index], slot.registration == registration else { return nil }
    return slot
  }
}
