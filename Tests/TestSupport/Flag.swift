import Synchronization

/// An event that happens once, signalled from one thread to another.
public final class Flag: Sendable {
  private let value = Atomic<Bool>(false)

  /// Not set yet.
  public init() {}

  /// Whether it has happened.
  public var isSet: Bool { value.load(ordering: .acquiring) }

  /// It has happened.
  public func set() { value.store(true, ordering: .releasing) }
}
