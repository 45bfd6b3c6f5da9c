import Glibc

/// One place for one value, from one thread to another.
///
/// - Note: `@unchecked Sendable`: `value` and `isClosed` are touched only while `mutex` is held, and the POSIX objects
///   stay at one address from init to deinit.
final class Mailbox<Value: Sendable>: @unchecked Sendable {
  private let mutex: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var value: Value?
  private var isClosed = false

  init() {
    mutex = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(mutex, nil)
    // Deadlines must not move when somebody sets the wall clock.
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(changed, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(mutex)
    changed.deallocate()
    mutex.deallocate()
  }

  /// Leaves a value; the place must be empty.
  func put(_ newValue: Value) {
    pthread_mutex_lock(mutex)
    precondition(value == nil, "a mailbox holds one value at a time")
    value = newValue
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  /// Takes the value, waiting for one.
  /// - Parameter milliseconds: how long to wait; nil waits until there is a value or the mailbox is closed.
  /// - Returns: nil when the time is up or the mailbox is closed.
  func take(waiting milliseconds: Int64?) -> Value? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    wait(milliseconds) { value != nil }
    defer { value = nil }
    return value
  }

  /// Waits until the mailbox is closed or the time is up: a sleep that a stop can end.
  func sleep(milliseconds: Int64) {
    pthread_mutex_lock(mutex)
    wait(milliseconds) { false }
    pthread_mutex_unlock(mutex)
  }

  /// Lets no one wait any longer.
  func close() {
    pthread_mutex_lock(mutex)
    isClosed = true
    pthread_cond_broadcast(changed)
    pthread_mutex_unlock(mutex)
  }

  var hasClosed: Bool {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return isClosed
  }

  /// Called with the mutex held.
  private func wait(_ milliseconds: Int64?, until isDone: () -> Bool) {
    var deadline = timespec()
    if let milliseconds {
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      let nanoseconds = Int64(deadline.tv_nsec) + (milliseconds % 1000) * 1_000_000
      deadline.tv_sec += Int(milliseconds / 1000 + nanoseconds / 1_000_000_000)
      deadline.tv_nsec = Int(nanoseconds % 1_000_000_000)
    }
    while !isDone() && !isClosed {
      let result =
        milliseconds == nil
        ? pthread_cond_wait(changed, mutex) : pthread_cond_timedwait(changed, mutex, &deadline)
      if result == ETIMEDOUT { return }
    }
  }
}
