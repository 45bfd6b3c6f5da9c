import CountStore
import Counting
import Dispatch
import HTTPServer
import Threading
import Postgres
import Prometheus
import Sockets
import TopItemsAPI

extension SharedResponses {
  /// How well responses from memory do, for Prometheus.
  func write(to page: inout Exposition) {
    let statistics = statistics
    page.gauge("topitems_answers", "Cached responses.", [.init(Double(statistics.answers))])
    page.gauge(
      "topitems_answers_bytes",
      "Roughly the memory that they take.",
      [.init(Double(statistics.bytes))]
    )
    page.counter(
      "topitems_answer_hits_total",
      "How often one was given out.",
      [.init(Double(statistics.hits))]
    )
    page.counter(
      "topitems_answer_computations_total",
      "How often one was computed.",
      [.init(Double(statistics.computations))]
    )
    page.gauge("topitems_streams", "Subscribers of live streams.", [.init(Double(streams))])
  }

  /// Whether workers run and keep up, for Prometheus. What is not known is not there.
  func writeFreshness(to page: inout Exposition) {
    page.gauge(
      "topitems_database_up",
      "1 while PostgreSQL answers the connection that listens for changes.",
      [.init(isListening ? 1 : 0)]
    )
    let known = freshness.reading()
    func single(_ value: Double?) -> [Exposition.Sample] { value.map { [.init($0)] } ?? [] }
    let state = known.map { $0.reading.freshness(at: $0.now) }
    page.gauge(
      "topitems_freshness",
      "1 for the state of the counts: live, quiet, delayed or stopped.",
      state.map { state in
        Freshness.names.map { .init([("state", $0)], $0 == state.name ? 1 : 0) }
      } ?? []
    )
    page.gauge(
      "topitems_delay_seconds",
      "Seconds for which the oldest message has waited, where counts are delayed; else 0.",
      single(
        known.flatMap { known in
          guard case .delayed(let since, _) = state else { return state.map { _ in 0 } }
          return max(0, Double(known.now.microseconds - since.microseconds) / 1_000_000)
        }
      )
    )
    page.gauge(
      "topitems_behind_messages",
      "Messages that are not counted, by the workers' heartbeats.",
      single(known.flatMap { $0.reading.behind(at: $0.now).map(Double.init) })
    )
    page.gauge(
      "topitems_workers",
      "Workers that run.",
      single(known.map { Double($0.reading.living(at: $0.now).count) })
    )
    page.gauge(
      "topitems_worker_seen_timestamp_seconds",
      "When a worker was seen last, by the database's clock.",
      single(
        known.flatMap { $0.reading.workers.map(\.seenAt).max() }.map { Double($0.microseconds) / 1_000_000 }
      )
    )
  }
}

/// The server's responses in memory, computed on its worker threads, and kept true by a listener on a connection of its
/// own.
final class CachedResponses: Sendable {
  let shared: SharedResponses
  private let server: Box

  /// The server, which is made after the API that it serves.
  private final class Box: Sendable {
    let server = Lock<Server?>(nil)
  }

  init(mebibytes: Int, maximumStreams: Int, workers: Int) {
    var limits = LiveLimits()
    limits.streams = maximumStreams
    limits.streamsPerQuery = maximumStreams
    limits.computations = workers
    let box = Box()
    server = box
    shared = SharedResponses(
      bytes: mebibytes << 20,
      limits: limits,
      run: { work in box.server.withLock { $0 }?.submit(work) ?? false },
      after: { delay, work in
        let nanoseconds = Int(max(.zero, min(delay, .seconds(3600))) / .nanoseconds(1))
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds), execute: work)
      }
    )
  }

  /// Begins to cache responses. The listener's thread ends with the process.
  ///
  /// - Parameter options: the server's own; the listener takes one connection more.
  func start(
    on server: Server,
    _ options: ConnectionOptions,
    observe: @escaping @Sendable (RevisionEvent) -> Void
  ) throws(SystemError) {
    self.server.server.withLock { $0 = server }
    var options = options
    options.applicationName += " listener"
    let listener = RevisionListener(options) { [shared] event in
      shared.receive(event)
      observe(event)
    }
    do {
      try startThread(name: "listener") { listener.run() }
    } catch {
      throw SystemError(error)
    }
  }
}
