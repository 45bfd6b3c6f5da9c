public import Glibc

/// A value that one thread at a time touches.
///
/// A POSIX mutex, which ThreadSanitizer knows: `Synchronization.Mutex` waits on a futex that it does not see, so that
/// all that is behind one looks like a race. Uncontended, both cost a few nanoseconds.
///
/// `@unchecked Sendable`: `value` is only touched while `mutex` is held, and a mutex is made for use by many threads.
/// Values enter and leave as `sending`, as with `Mutex`, so that no reference bypasses the lock.
public struct Lock<Value>: ~Copyable, @unchecked Sendable {
  /// At addresses of their own, which never move.
  @usableFromInline let mutex: UnsafeMutablePointer<pthread_mutex_t>
  @usableFromInline let value: UnsafeMutablePointer<Value>

  /// Locks nothing yet.
  public init(_ value: consuming sending Value) {
    mutex = .allocate(capacity: 1)
    self.value = .allocate(capacity: 1)
    self.value.initialize(to: value)
    // It cannot fail on Linux without attributes that ask for more.
    pthread_mutex_init(mutex, nil)
  }

  deinit {
    pthread_mutex_destroy(mutex)
    value.deinitialize(count: 1)
    value.deallocate()
    mutex.deallocate()
  }

  /// Looks at the value, or changes it. The body must not lock the same lock.
  @inlinable
  public borrowing func withLock<Result, Failure: Error>(
    _ body: (inout sending Value) throws(Failure) -> sending Result
  ) throws(Failure) -> sending Result {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return try body(&value.pointee)
  }
}
