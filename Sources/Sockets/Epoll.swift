import CLinux
import Glibc

/// The events to wait for on a descriptor. Errors and hang-ups are always reported.
public struct Interest: OptionSet, Sendable, Hashable {
  /// The bits.
  public let rawValue: UInt8
  /// From bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// There is something to read, the end included, or a connection to accept.
  public static let readable = Interest(rawValue: 1)
  /// There is room to write.
  public static let writable = Interest(rawValue: 2)
  /// The other side sends no more, whether or not all that it sent is read.
  public static let peerFinished = Interest(rawValue: 4)
}

/// What epoll says about a descriptor.
public struct Readiness: OptionSet, Sendable, Hashable {
  /// The bits.
  public let rawValue: UInt8
  /// From bits.
  public init(rawValue: UInt8) { self.rawValue = rawValue }

  /// There is something to read, the end included, or a connection to accept.
  public static let readable = Readiness(rawValue: 1)
  /// There is room to write.
  public static let writable = Readiness(rawValue: 2)
  /// The connection is broken, or closed in both directions.
  public static let broken = Readiness(rawValue: 4)
  /// The other side sends no more. Reported only where it is asked for.
  public static let peerFinished = Readiness(rawValue: 8)
}

/// The source of an event. The kernel reuses descriptor numbers at once; the id, never used twice in 4 billion,
/// distinguishes an event of the old owner from one of the new.
public struct Registration: Hashable, Sendable {
  let id: UInt32
  let descriptor: Int32

  /// No source.
  public static let none = Registration(id: 0, descriptor: 0)

  var packed: UInt64 { UInt64(id) << 32 | UInt64(UInt32(bitPattern: descriptor)) }

  init(id: UInt32, descriptor: Int32) {
    self.id = id
    self.descriptor = descriptor
  }

  init(packed: UInt64) {
    id = UInt32(truncatingIfNeeded: packed >> 32)
    descriptor = Int32(truncatingIfNeeded: packed)
  }
}

/// A level-triggered epoll instance (epoll(7)).
struct Epoll: ~Copyable {
  /// Events taken in one turn.
  static let eventsPerTurn = 256

  private let descriptor: FileDescriptor
  private let events: UnsafeMutableBufferPointer<epoll_event>

  init() throws(SystemError) {
    descriptor = FileDescriptor(owning: try call("epoll_create1") { epoll_create1(topitems_epoll_cloexec) })
    events = .allocate(capacity: Epoll.eventsPerTurn)
    events.initialize(repeating: epoll_event())
  }

  deinit {
    events.deallocate()
  }

  func add(_ registration: Registration, _ interest: Interest) throws(SystemError) {
    try control(EPOLL_CTL_ADD, registration, interest, "epoll_ctl add")
  }

  func modify(_ registration: Registration, _ interest: Interest) throws(SystemError) {
    try control(EPOLL_CTL_MOD, registration, interest, "epoll_ctl modify")
  }

  func remove(_ registration: Registration) throws(SystemError) {
    try control(EPOLL_CTL_DEL, registration, [], "epoll_ctl remove")
  }

  /// Waits for events; their number, at most `eventsPerTurn`. -1 waits without an end.
  func wait(milliseconds: Int32) throws(SystemError) -> Int {
    let number = descriptor.rawValue
    // Not repeated after EINTR: the time to wait has changed by then, and the caller computes it again.
    let count = epoll_wait(number, events.baseAddress, Int32(events.count), milliseconds)
    if count >= 0 { return Int(count) }
    guard errno == EINTR else { throw SystemError(call: "epoll_wait", code: errno) }
    return 0
  }

  subscript(index: Int) -> (registration: Registration, readiness: Readiness) {
    let event = events[index]
    var readiness: Readiness = []
    if event.events & topitems_epollin != 0 { readiness.insert(.readable) }
    if event.events & topitems_epollout != 0 { readiness.insert(.writable) }
    if event.events & (topitems_epollerr | topitems_epollhup) != 0 { readiness.insert(.broken) }
    if event.events & topitems_epollrdhup != 0 { readiness.insert(.peerFinished) }
    return (Registration(packed: event.data.u64), readiness)
  }

  private func control(
    _ operation: Int32,
    _ registration: Registration,
    _ interest: Interest,
    _ name: StaticString
  ) throws(SystemError) {
    var event = epoll_event()
    if interest.contains(.readable) { event.events |= topitems_epollin }
    if interest.contains(.writable) { event.events |= topitems_epollout }
    if interest.contains(.peerFinished) { event.events |= topitems_epollrdhup }
    event.data.u64 = registration.packed
    let number = descriptor.rawValue
    _ = try call("\(name)") { epoll_ctl(number, operation, registration.descriptor, &event) }
  }
}
