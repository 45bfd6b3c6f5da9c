import HTTP
import Locks
import Sockets

/// Threads on which handlers may wait. What they make goes back to the loop that owns the connection.
final class WorkerPool: Sendable {
  /// What a thread runs. It looks itself whether its client is still there.
  typealias Job = @Sendable () -> Void

  private enum Step: Sendable {
    case job(Job)
    case end
  }

  private struct Queue {
    var waiting: [Job] = []
    /// The first of `waiting` that is not taken; taking from the front of an array would move all others.
    var first = 0
    /// Threads that run a job.
    var busy = 0
    var isClosed = false

    var count: Int { waiting.count - first }

    /// What a thread does next; nil: it waits.
    mutating func next() -> Step? {
      guard first < waiting.count else { return isClosed ? .end : nil }
      busy += 1
      let job = waiting[first]
      first += 1
      if first == waiting.count || first >= 256 {
        waiting.removeSubrange(..<first)
        first = 0
      }
      return .job(job)
    }
  }

  private let queue = Monitor(Queue())
  private let capacity: Int

  /// A pool that lets `capacity` jobs wait.
  init(capacity: Int) {
    self.capacity = capacity
  }

  func start(_ name: String, threads: Int) throws(SystemError) {
    for number in 0..<threads {
      try startThread(name: "\(name)-\(number)") { [queue] in
        while case .job(let job) = queue.wait(for: { $0.next() }) {
          job()
          queue.change { $0.busy -= 1 }
        }
      }
    }
  }

  /// Threads that run a job, and jobs that wait for one.
  var load: (busy: Int, waiting: Int) { queue.withLock { ($0.busy, $0.count) } }

  /// Queues a job; false if too many wait already.
  func submit(_ job: @escaping Job) -> Bool {
    queue.change { queue in
      guard queue.count < capacity, !queue.isClosed else { return false }
      queue.waiting.append(job)
      return true
    }
  }

  /// Ends each thread when its current job is done; jobs that wait are dropped.
  func close() {
    queue.changeForAll { queue in
      queue.isClosed = true
      queue.waiting = []
      queue.first = 0
    }
  }
}
