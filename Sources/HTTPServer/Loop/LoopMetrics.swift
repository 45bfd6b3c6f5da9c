import HTTP
import Threading
import Prometheus
import Synchronization

/// The figures of one loop: written by its thread alone, read by any.
final class LoopMetrics: Sendable {
  /// A number with one writer: an ordinary addition, no locked one.
  struct Counter: ~Copyable, Sendable {
    private let value = Atomic(0)
    var total: Int { value.load(ordering: .relaxed) }
    func add(_ amount: Int) { value.store(value.load(ordering: .relaxed) &+ amount, ordering: .relaxed) }
  }

  /// Requests of one route.
  struct Route: Sendable {
    let name: String
    /// By the status's first digit less one.
    var statuses = [Int](repeating: 0, count: 5)
    var seconds = Histogram(bounds: LoopMetrics.bounds)

    init(_ name: String) { self.name = name }

    mutating func record(_ place: Int, _ seconds: Double?) {
      statuses[place] += 1
      if let seconds { self.seconds.record(seconds) }
    }
  }

  static let bounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10]

  let accepted = Counter()
  let closed = Counter()
  let refused = Counter()
  let received = Counter()
  let sent = Counter()
  let openStreams = Counter()
  /// There are few, and most requests are of one of the first: finding that takes less time than hashing its name.
  let routes = Lock<[Route]>([])

  /// - Parameter seconds: nil for a response that lasts as long as its client likes.
  func record(route name: String, status: Status, seconds: Double?) {
    let place = min(max(status.rawValue / 100, 1), 5) - 1
    routes.withLock { routes in
      if let index = routes.firstIndex(where: { $0.name == name }) {
        routes[index].record(place, seconds)
      } else {
        var route = Route(name)
        route.record(place, seconds)
        routes.append(route)
      }
    }
  }
}
