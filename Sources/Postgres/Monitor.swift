import Glibc

/// A value behind a mutex, with a condition to wait on: `Synchronization.Mutex` cannot wait, and waiting
/// threads need a deadline on the monotonic clock.
final class Monitor<State>: @unchecked Sendable {
  // Unchecked is safe: `state` is only touched with the mutex held, and mutex and condition are at addresses
  // that never move.
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)
  private var state: State

  init(_ state: State) {
    self.state = state
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // Not the wall clock, which may jump.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  func withLock<T, Failure: Error>(_ body: (inout State) throws(Failure) -> T) throws(Failure) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&state)
  }

  /// Changes the state and wakes all who wait, each of whom looks again.
  func update<T>(_ body: (inout State) -> T) -> T {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    defer { pthread_cond_broadcast(condition) }
    return body(&state)
  }

  /// Asks the body again after every change until it has an answer or the time is over. It is asked at least
  /// once, and once more at the end.
  func wait<T>(until deadline: ContinuousClock.Instant, _ body: (inout State) -> T?) -> T? {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    while true {
      if let answer = body(&state) { return answer }
      let left = deadline - ContinuousClock.now
      guard left > .zero else { return nil }
      var until = timespec()
      clock_gettime(CLOCK_MONOTONIC, &until)
      let nanoseconds = until.tv_nsec + Int(left.components.attoseconds / 1_000_000_000)
      // A day is as good as for ever, and cannot overflow.
      until.tv_sec += Int(min(left.components.seconds, 86_400)) + nanoseconds / 1_000_000_000
      until.tv_nsec = nanoseconds % 1_000_000_000
      pthread_cond_timedwait(condition, mutex, &until)
    }
  }
}
