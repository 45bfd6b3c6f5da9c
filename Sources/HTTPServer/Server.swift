import Glibc
import HTTP
import Threading
import Sockets
import TLS

/// A server of HTTP/1.1 and HTTP/2 on raw sockets, in plain text or over TLS: one event loop per core, each with its
/// own listener at the same port, so that the kernel spreads the connections (SO_REUSEPORT); a connection stays on
/// its loop.
///
/// A started server lives until it is stopped, also without a reference.
public final class Server: Sendable {
  private struct Progress: Sendable {
    /// Loops that serve.
    var serving = 0
    /// Loops whose thread has something left to do.
    var running = 0
    var cut = 0
  }

  private struct Started: Sendable {
    var address: SocketAddress
    var inboxes: [Inbox<ServerLoop.Message>]
  }

  private let address: SocketAddress
  private let loops: Int
  private let settings: ServerSettings
  private let started = Lock<Started?>(nil)
  private let progress = Monitor(Progress())

  /// A server that does not run yet.
  ///
  /// - Parameters:
  ///   - address: where to listen; with port 0 the kernel chooses one, see `boundAddress`.
  ///   - certificate: for TLS, which chooses between HTTP/1.1 and HTTP/2 (ALPN); nil: plain text, with both too
  ///     (HTTP/2 with prior knowledge).
  ///   - limits: what one client, and all together, may use.
  ///   - loops: threads with an event loop each; a loop for each core is best.
  ///   - workers: threads that run `Reply.blocking`, and as many more that run `Reply.streaming`.
  ///   - observe: receives observations. It runs on the loops' threads and does not wait.
  ///   - logsRequests: whether each request is observed, as `ServerObservation.answered`.
  ///   - metrics: where figures are kept; nil: nowhere.
  ///   - route: names the kind of a request, for metrics and logs. There must be few names, whatever clients ask for.
  ///   - errorResponse: makes the responses to what never reaches the handler, from a status and a clause for people.
  ///   - contentLimit: how many bytes of content a request may have, asked when its head is known; the body is still
  ///     empty then. More is a 413, and `RequestLimits.bodyBytes` bounds all. With 0, the default, content is not
  ///     read: the handler answers the head alone, and an HTTP/1.1 connection closes after the response.
  ///   - handler: answers requests. It runs on the loops' threads and does not wait: see `Reply`.
  public init(
    address: SocketAddress,
    certificate: ServerCertificate? = nil,
    limits: Limits = Limits(),
    loops: Int = Server.coreCount,
    workers: Int = 8,
    observe: @escaping @Sendable (ServerObservation) -> Void = { _ in },
    logsRequests: Bool = false,
    metrics: ServerMetrics? = nil,
    route: @escaping @Sendable (Request) -> String = { _ in "all" },
    errorResponse: @escaping @Sendable (Status, String) -> Response = {
      Response(status: $0, text: "\($1)\n")
    },
    contentLimit: @escaping @Sendable (Request) -> Int = { _ in 0 },
    handler: @escaping @Sendable (Request) -> Reply
  ) {
    precondition(loops > 0 && workers > 0, "a server needs threads")
    self.address = address
    self.loops = loops
    let spool = Spool(limits, observe: observe)
    settings = ServerSettings(
      limits: limits,
      certificate: certificate,
      workers: WorkerPool(capacity: limits.waitingForWorker, threads: workers),
      // A quarter of the threads is left to other networks, as a long response cannot be interrupted.
      streamers: WorkerPool(
        capacity: limits.waitingForWorker,
        threads: workers,
        share: workers - workers / 4,
        isBehind: { spool.isBehind($0) }
      ),
      spool: spool,
      quota: ConnectionQuota(total: limits.connections, perAddress: limits.connectionsPerAddress),
      unsent: UnsentBodies(limit: limits.unsentBodies),
      observe: observe,
      errorResponse: errorResponse,
      contentLimit: contentLimit,
      logsRequests: logsRequests,
      metrics: metrics,
      route: route,
      handler: handler
    )
  }

  /// The cores that are online.
  public static var coreCount: Int { max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Where the server listens; the port is the real one once it has started.
  public var boundAddress: SocketAddress { started.withLock { $0?.address } ?? address }

  /// Listens and serves. When it returns, connections are taken. Throws when the address cannot be had, or threads and
  /// descriptors cannot; then nothing is left running. To be called once.
  public func start() throws(SystemError) {
    precondition(started.withLock { $0 == nil }, "a server starts once")
    if address.port != 0 { try ListeningSocket.requireFree(address) }
    var bound = address
    var inboxes: [Inbox<ServerLoop.Message>] = []
    do throws(SystemError) {
      try settings.spool.start()
      try settings.workers.start("http-worker")
      try settings.streamers.start("http-streamer")
      settings.metrics?.watch([settings.workers, settings.streamers], settings.unsent, settings.spool)
      for number in 0..<loops {
        let socket = try ListeningSocket(at: bound, sharesPort: true, userTimeout: settings.limits.write)
        bound = try socket.socket.localAddress()
        inboxes.append(try startLoop(socket, number: number))
      }
    } catch {
      for inbox in inboxes { inbox.post(.stop(.now())) }
      settings.closeThreads()
      throw error
    }
    started.withLock { $0 = Started(address: bound, inboxes: inboxes) }
    settings.observe(.listening(bound))
  }

  /// Takes no more connections, closes those without a request, finishes the requests in progress, and cuts what is not
  /// done after `deadline`. Returns at once; see `wait`. A second call can move the deadline.
  public func stop(deadline: Duration = .seconds(10)) {
    let inboxes = started.withLock { $0?.inboxes } ?? []
    let instant = Instant.now() + deadline
    for inbox in inboxes { inbox.post(.stop(instant)) }
  }

  /// Reads the certificate's files again, and observes the result. New connections use the new certificate; those
  /// that are open go on undisturbed. Files that cannot be used change nothing.
  ///
  /// - Parameter always: also when none of the files has changed since they were last read. Without it, asking every
  ///   few seconds costs next to nothing. It reads files: not for an event loop's thread.
  public func reloadCertificate(always: Bool) {
    guard let certificate = settings.certificate else { return }
    do throws(TLSError) {
      guard let expiry = try certificate.reload(always: always) else { return }
      settings.observe(.certificateChanged(expiry: expiry))
    } catch {
      settings.observe(.certificateRejected(error))
    }
  }

  /// Runs work on a worker thread that belongs to no client, such as a response that many wait for; it is not
  /// cancelled when a client leaves. Returns false when too much waits already; then it is not run.
  public func submit(_ work: @escaping @Sendable () -> Void) -> Bool {
    settings.workers.submit(of: CurrentClient.network, work) != nil
  }

  /// Waits until every loop has ended. Blocks the thread. A worker that is still busy at the deadline is not waited
  /// for.
  public func wait() {
    progress.wait { $0.running == 0 ? () : nil }
  }

  private func startLoop(
    _ socket: consuming ListeningSocket,
    number: Int
  ) throws(SystemError) -> Inbox<ServerLoop.Message> {
    let loop = try ServerLoop(socket, settings: settings)
    let inbox = loop.inbox
    progress.change {
      $0.serving += 1
      $0.running += 1
    }
    do throws(ThreadError) {
      try startThread(name: "http-loop-\(number)") { [progress, settings] in
        let cut = loop.run()
        let total = progress.change { progress -> Int? in
          progress.serving -= 1
          progress.cut += cut
          return progress.serving == 0 ? progress.cut : nil
        }
        if let total {
          settings.closeThreads()
          settings.observe(.stopped(cut: total))
        }
        progress.changeForAll { $0.running -= 1 }
      }
    } catch {
      progress.changeForAll {
        $0.serving -= 1
        $0.running -= 1
      }
      throw SystemError(error)
    }
    return inbox
  }
}
