import Foundation

/// Runs tasks on threads of their own, a few at a time: a test that waits for a broker would otherwise block one of
/// the threads that all tests share, of which there are as many as cores.
public final class BlockingThreads: TaskExecutor, @unchecked Sendable {
  /// For all tests that wait for servers.
  public static let shared = BlockingThreads(count: 8)

  // Unchecked is safe: `jobs` is touched only while `changed` is locked.
  private let changed = NSCondition()
  private var jobs: [UnownedJob] = []

  private init(count: Int) {
    for _ in 0..<count { Thread.detachNewThread { [self] in work() } }
  }

  /// See `TaskExecutor`.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    changed.withLock { jobs.append(job) }
    changed.signal()
  }

  private func work() {
    while true {
      changed.lock()
      while jobs.isEmpty { changed.wait() }
      let job = jobs.removeFirst()
      changed.unlock()
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
