import Threading
import Prometheus

/// What a server has done and is doing, for Prometheus; given to one `Server`, read by any thread.
public final class ServerMetrics: Sendable {
  fileprivate struct Sources: Sendable {
    var loops: [LoopMetrics] = []
    var workers: [WorkerPool] = []
    var unsent: UnsentBodies?
    var spool: Spool?
  }

  private let sources = Lock(Sources())

  /// Without figures yet.
  public init() {}

  /// Appends the figures to a page.
  ///
  /// - Parameter prefix: what all names begin with, such as `example_http`.
  public func write(to page: inout Exposition, prefix: String) {
    let sources = sources.withLock { $0 }
    sources.writeRequests(to: &page, prefix)
    sources.writeConnections(to: &page, prefix)
    sources.writeWorkers(to: &page, prefix)
    sources.writeSlowReaders(to: &page, prefix)
  }

  func watch(_ workers: [WorkerPool], _ unsent: UnsentBodies, _ spool: Spool) {
    sources.withLock { ($0.workers, $0.unsent, $0.spool) = (workers, unsent, spool) }
  }

  func addLoop() -> LoopMetrics {
    let metrics = LoopMetrics()
    sources.withLock { $0.loops.append(metrics) }
    return metrics
  }
}

extension ServerMetrics.Sources {
  fileprivate func writeRequests(to page: inout Exposition, _ prefix: String) {
    let routes = loops.reduce(into: [String: LoopMetrics.Route]()) { sum, loop in
      for route in loop.routes.withLock({ $0 }) {
        sum[route.name] = sum[route.name].map { $0 + route } ?? route
      }
    }.values.sorted { $0.name < $1.name }
    page.counter(
      "\(prefix)_requests_total",
      "Completed requests, by route and class of status.",
      routes.flatMap { route in
        route.statuses.enumerated().filter { $0.element > 0 }.map { place, count in
          .init([("route", route.name), ("status", "\(place + 1)xx")], Double(count))
        }
      }
    )
    page.histogram(
      "\(prefix)_request_seconds",
      "Seconds from a request's last byte to its response's, without streams for subscribers.",
      routes.map { ([("route", $0.name)], $0.seconds) }
    )
  }

  fileprivate func writeConnections(to page: inout Exposition, _ prefix: String) {
    func total(_ count: (LoopMetrics) -> Int) -> [Exposition.Sample] {
      [.init(Double(loops.reduce(0) { $0 + count($1) }))]
    }
    page.gauge("\(prefix)_connections", "Open connections.", total { $0.accepted.total - $0.closed.total })
    page.counter("\(prefix)_connections_total", "Accepted connections.", total { $0.accepted.total })
    page.counter(
      "\(prefix)_connections_refused_total",
      "Connections refused by a limit.",
      total { $0.refused.total }
    )
    page.gauge(
      "\(prefix)_open_streams",
      "Streamed responses in progress.",
      total { $0.openStreams.total }
    )
    page.counter("\(prefix)_received_bytes_total", "Bytes received.", total { $0.received.total })
    page.counter("\(prefix)_sent_bytes_total", "Bytes sent.", total { $0.sent.total })
  }

  fileprivate func writeWorkers(to page: inout Exposition, _ prefix: String) {
    let loads = workers.map(\.load)
    let busy = loads.reduce(0) { $0 + $1.busy }
    let waiting = loads.reduce(0) { $0 + $1.waiting }
    page.gauge("\(prefix)_workers_busy", "Workers that make a response.", [.init(Double(busy))])
    page.gauge("\(prefix)_requests_waiting", "Requests that wait for a worker.", [.init(Double(waiting))])
    page.counter(
      "\(prefix)_requests_dropped_total",
      "Dropped requests: their clients had left, or a full queue gave their place to other clients.",
      [.init(Double(workers.reduce(0) { $0 + $1.dropped }))]
    )
  }

  fileprivate func writeSlowReaders(to page: inout Exposition, _ prefix: String) {
    page.gauge(
      "\(prefix)_unsent_bytes",
      "Large responses that wait for their clients to read them.",
      [.init(Double(unsent?.total ?? 0))]
    )
    let spool = spool?.load ?? (memory: 0, disk: 0, answers: 0, cut: 0)
    page.gauge(
      "\(prefix)_spool_bytes",
      "Streamed responses that wait for their clients to read them.",
      [.init([("place", "memory")], Double(spool.memory)), .init([("place", "disk")], Double(spool.disk))]
    )
    page.gauge("\(prefix)_spooled_answers", "Such responses on disk.", [.init(Double(spool.answers))])
    page.counter(
      "\(prefix)_answers_cut_total",
      "Streamed responses broken off: others needed the space or the thread that their slow clients held.",
      [.init(Double(spool.cut))]
    )
  }
}

extension LoopMetrics.Route {
  static func + (left: Self, right: Self) -> Self {
    var sum = left
    sum.statuses = zip(left.statuses, right.statuses).map { $0 + $1 }
    sum.seconds.merge(right.seconds)
    return sum
  }
}
