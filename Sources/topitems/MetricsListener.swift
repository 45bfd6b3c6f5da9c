import Counting
import Glibc
import HTTP
import HTTPServer
import Ingestion
import Locks
import Prometheus
import Sockets

/// The worker's small HTTP listener: `/metrics` for Prometheus, `/healthz` and `/readyz` for a supervisor.
final class MetricsListener: Sendable {
  private struct State: Sendable {
    var metrics = IngestionMetrics()
    var health = IngestionHealth(now: MetricsListener.monotonicMicroseconds())
  }

  private let state = Lock(State())

  /// Takes note of an observation; from any thread.
  func observe(_ observation: IngestionObservation) {
    let now = Self.monotonicMicroseconds()
    state.withLock {
      $0.metrics.note(observation)
      $0.health.note(observation, now: now)
    }
  }

  /// Starts to listen.
  /// - Throws: an address that cannot be had.
  func start(at address: SocketAddress) throws -> Server {
    let server = Server(address: address, loops: 1, workers: 1, handler: { [self] in .ready(answer($0)) })
    do {
      try server.start()
    } catch {
      throw InputError(description: "cannot listen on \(address) for --metrics-listen: \(error)")
    }
    return server
  }

  private func answer(_ request: Request) -> Response {
    if let refusal = Response.refusal(ofWriting: request) { return refusal }
    switch request.target.decodedPath {
    case "/metrics":
      let text = state.withLock { $0.metrics.exposition() }
      return Response(status: .ok, text: text, contentType: Exposition.contentType)
    case "/readyz":
      guard let reason = state.withLock({ $0.health.unreadiness(now: Self.monotonicMicroseconds()) }) else {
        return Response(status: .ok, text: "ready\n")
      }
      return Response(status: .serviceUnavailable, text: reason + "\n")
    case "/healthz":
      guard let complaint = state.withLock({ $0.health.complaint(now: Self.monotonicMicroseconds()) }) else {
        return Response(status: .ok, text: "ok\n")
      }
      return Response(status: .serviceUnavailable, text: complaint + "\n")
    default:
      return Response(status: .notFound, text: "here are /metrics, /healthz and /readyz\n")
    }
  }

  private static func monotonicMicroseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }
}
