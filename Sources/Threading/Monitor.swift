public import Glibc

/// A value behind a lock, whose changes threads can wait for.
///
/// `@unchecked Sendable`: lock and condition are made for use by many threads. Of what is not Sendable inside the value
/// (connections in a pool), the owner ensures that one thread uses it at a time.
public final class Monitor<Value>: @unchecked Sendable {
  @usableFromInline let lock: Lock<Value>
  @usableFromInline let condition: UnsafeMutablePointer<pthread_cond_t>

  /// A monitor of this value.
  public init(_ value: consuming sending Value) {
    lock = Lock(value)
    condition = .allocate(capacity: 1)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    // Deadlines must not move when the wall clock is set.
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(condition, &attributes)
    pthread_condattr_destroy(&attributes)
  }

  deinit {
    pthread_cond_destroy(condition)
    condition.deallocate()
  }

  /// Reads the value, or changes it without waking waiters.
  @inlinable
  public func withLock<Result>(_ body: (inout Value) -> Result) -> Result {
    // A copy: what is changed is not this object.
    let (mutex, value) = (lock.mutex, lock.value)
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body(&value.pointee)
  }

  /// Changes the value and wakes one waiting thread.
  @inlinable
  public func change<Result>(_ body: (inout Value) -> Result) -> Result {
    withLock { value in
      defer { pthread_cond_signal(condition) }
      return body(&value)
    }
  }

  /// Changes the value and wakes every waiting thread.
  @inlinable
  public func changeForAll<Result>(_ body: (inout Value) -> Result) -> Result {
    withLock { value in
      defer { pthread_cond_broadcast(condition) }
      return body(&value)
    }
  }

  /// Waits until `body` returns something; it is asked at once and after each change.
  @inlinable
  public func wait<Result>(for body: (inout Value) -> Result?) -> Result {
    withLock { value in
      while true {
        if let result = body(&value) { return result }
        pthread_cond_wait(condition, lock.mutex)
      }
    }
  }

  /// Waits likewise, but not beyond `deadline`. The body is asked once more at the end.
  public func wait<Result>(
    until deadline: ContinuousClock.Instant,
    for body: (inout Value) -> Result?
  ) -> Result? {
    withLock { value in
      while true {
        if let result = body(&value) { return result }
        let left = deadline - ContinuousClock.now
        guard left > .zero else { return nil }
        var until = Monitor.time(after: left)
        pthread_cond_timedwait(condition, lock.mutex, &until)
      }
    }
  }

  private static func time(after duration: Duration) -> timespec {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    let nanoseconds = time.tv_nsec + Int(duration.components.attoseconds / 1_000_000_000)
    // A day is as good as for ever, and cannot overflow.
    time.tv_sec += Int(min(duration.components.seconds, 86_400)) + nanoseconds / 1_000_000_000
    time.tv_nsec = nanoseconds % 1_000_000_000
    return time
  }
}
