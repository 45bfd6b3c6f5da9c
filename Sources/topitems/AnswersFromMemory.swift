import CountStore
import Dispatch
import HTTPServer
import Locks
import Postgres
import Sockets
import TopItemsAPI

/// The server's answers in memory, computed on its worker threads, and kept true by a listener on a connection of its own.
final class AnswersFromMemory: Sendable {
  let shared: SharedAnswers
  private let server: Box

  /// The server, which is made after the API that it serves.
  private final class Box: Sendable {
    let server = Lock<Server?>(nil)
  }

  init(mebibytes: Int, maximumStreams: Int, workers: Int) {
    var limits = LiveLimits()
    limits.streams = maximumStreams
    limits.streamsPerQuestion = maximumStreams
    limits.computations = workers
    let box = Box()
    server = box
    shared = SharedAnswers(
      bytes: mebibytes << 20,
      limits: limits,
      run: { work in box.server.withLock { $0 }?.submit(work) ?? false },
      after: { delay, work in
        let nanoseconds = Int(max(.zero, min(delay, .seconds(3600))) / .nanoseconds(1))
        DispatchQueue.global().asyncAfter(deadline: .now() + .nanoseconds(nanoseconds), execute: work)
      }
    )
  }

  /// Begins to keep answers. The listener's thread ends with the process.
  ///
  /// - Parameter options: the server's own; the listener takes one connection more.
  func start(
    on server: Server,
    _ options: ConnectionOptions,
    observe: @escaping @Sendable (RevisionNews) -> Void
  ) throws(SystemError) {
    self.server.server.withLock { $0 = server }
    var options = options
    options.applicationName += " listener"
    let listener = RevisionListener(options) { [shared] news in
      shared.tell(news)
      observe(news)
    }
    try startThread(name: "listener") { listener.run() }
  }
}
