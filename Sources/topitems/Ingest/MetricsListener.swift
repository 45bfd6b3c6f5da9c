import Glibc
import HTTP
import HTTPServer
import Ingestion
import Threading
import Prometheus
import Sockets

/// The worker's small HTTP listener: `/metrics` for Prometheus, `/healthz` and `/readyz` for an orchestrator.
final class MetricsListener: Sendable {
  private struct State: Sendable {
    var metrics = IngestionMetrics()
    var health = IngestionHealth()
  }

  private let state = Lock(State())

  /// Takes note of an observation; from any thread.
  func observe(_ observation: IngestionObservation) {
    let now = ContinuousClock.now
    state.withLock {
      $0.metrics.record(observation)
      $0.health.record(observation, now: now)
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
      let wallClock = Self.wallClock()
      let text = state.withLock { state in
        var page = Exposition()
        state.metrics.write(to: &page)
        state.health.write(to: &page, now: .now, wallClock: wallClock)
        return page.text
      }
      return Response(status: .ok, text: text, contentType: Exposition.contentType)
    case "/healthz":
      guard let stall = state.withLock({ $0.health.stall(at: .now) }) else {
        return Response(status: .ok, text: "ok\n")
      }
      return Response(status: .serviceUnavailable, text: stall + "\n")
    case "/readyz":
      let reasons = state.withLock { $0.health.unreadiness(at: .now) }
      guard !reasons.isEmpty else { return Response(status: .ok, text: "ready\n") }
      return Response(status: .serviceUnavailable, text: reasons.map { "\($0)\n" }.joined())
    default:
      return Response(status: .notFound, text: "here are /metrics, /healthz and /readyz\n")
    }
  }

  /// Seconds since 1970.
  private static func wallClock() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) / 1_000_000_000
  }
}
