/// Waits that double with each failure in a row, each between half and one and a half of it, so that processes which
/// failed together do not try again together.
public struct Backoff: Sendable {
  private var milliseconds: Int64
  private let most: Int64
  /// The wait that `next` returned last, in milliseconds; nil before the first failure.
  public private(set) var current: Int64?

  /// No failure yet.
  /// - Parameters:
  ///   - first: the first wait in milliseconds, on average.
  ///   - most: the longest wait in milliseconds, on average.
  public init(first: Int64 = 50, most: Int64 = 5000) {
    milliseconds = first
    self.most = most
  }

  /// The wait after another failure, in milliseconds.
  public mutating func next() -> Int64 {
    defer { milliseconds = min(milliseconds * 2, most) }
    let wait = Int64.random(in: milliseconds / 2...milliseconds * 3 / 2)
    current = wait
    return wait
  }
}
