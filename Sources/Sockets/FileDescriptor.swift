import Glibc

/// A file descriptor that is closed exactly once, when its owner goes.
public struct FileDescriptor: ~Copyable, Sendable {
  /// The number, valid as long as this value lives.
  public let rawValue: Int32

  /// Takes the descriptor over.
  public init(owning rawValue: Int32) {
    precondition(rawValue >= 0, "no descriptor")
    self.rawValue = rawValue
  }

  deinit {
    // Not repeated after EINTR: on Linux the descriptor is gone, and the number may be another thread's by now.
    _ = close(rawValue)
  }
}
