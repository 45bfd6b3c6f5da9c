import HTTP
import Threading
import Sockets

/// Threads on which handlers may wait, in a fair queue over clients. What they make goes back to the loop that owns the
/// connection.
final class WorkerPool: Sendable {
  private enum Step: Sendable {
    case job(JobQueue.Job, JobQueue.Turn)
    case end
  }

  private struct State {
    var queue: JobQueue
    var isClosed = false
    /// When a job was last asked to give its thread up.
    var conceded = Instant(nanoseconds: 0)
    var dropped = 0
  }

  private let state: Monitor<State>
  private let threads: Int

  /// - Parameters:
  ///   - capacity: how many jobs may wait.
  ///   - share: how many threads one network may have; see `JobQueue`, also for `isBehind`.
  init(
    capacity: Int,
    threads: Int,
    share: Int = .max,
    isBehind: @escaping @Sendable (ClientNetwork) -> Bool = { _ in false }
  ) {
    self.threads = threads
    state = Monitor(
      State(queue: JobQueue(capacity: capacity, threads: threads, share: share, isBehind: isBehind))
    )
  }

  func start(_ name: String) throws(SystemError) {
    for number in 0..<threads {
      do {
        try startThread(name: "\(name)-\(number)") { [state] in
          while case .job(let job, let turn) = state.wait(for: WorkerPool.step) {
            job.run()
            // Another job may have waited for this one's end, besides the one that this thread takes next.
            state.change { $0.queue.finish(turn) }
          }
        }
      } catch {
        throw SystemError(error)
      }
    }
  }

  private static func step(_ state: inout State) -> Step? {
    if state.isClosed { return .end }
    guard let (job, turn) = state.queue.next() else { return nil }
    return .job(job, turn)
  }

  /// Threads that run a job, and jobs that wait for one.
  var load: (busy: Int, waiting: Int) { state.withLock { ($0.queue.running, $0.queue.waiting) } }

  /// Jobs that were not run: their clients had gone, or they made room for others.
  var dropped: Int { state.withLock { $0.dropped } }

  /// Queues a job; nil if too many wait already. The job looks itself whether its client is still there.
  ///
  /// - Parameter drop: is called instead when the job has to make room for another client's; nil: it never has to.
  func submit(
    of network: ClientNetwork?,
    drop: (@Sendable () -> Void)? = nil,
    _ run: @escaping @Sendable () -> Void
  ) -> JobQueue.Ticket? {
    let added = state.change { state in
      guard !state.isClosed, let added = state.queue.add(JobQueue.Job(run: run, drop: drop), of: network)
      else { return nil as (ticket: JobQueue.Ticket, displaced: JobQueue.Job?)? }
      if added.displaced != nil { state.dropped += 1 }
      return added
    }
    added?.displaced?.drop?()
    return added?.ticket
  }

  /// Takes a job back, if it still waits: its client has gone.
  func remove(_ ticket: JobQueue.Ticket) {
    state.withLock { if $0.queue.remove(ticket) { $0.dropped += 1 } }
  }

  /// Which requests wait for a thread while a job of `network` has one.
  func need(besides network: ClientNetwork?) -> JobQueue.Need {
    state.withLock { $0.queue.need(besides: network) }
  }

  /// Whether a job that could give its thread up is to do so: one at a time.
  func asksToConcede() -> Bool {
    state.withLock { state in
      let now = Instant.now()
      guard state.conceded + .milliseconds(5) <= now else { return false }
      state.conceded = now
      return true
    }
  }

  /// Ends each thread when its current job is done; jobs that wait are forgotten.
  func close() {
    state.changeForAll { state in
      state.isClosed = true
      state.queue.removeAll()
    }
  }
}
