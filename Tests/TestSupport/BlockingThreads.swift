import Dispatch

/// Runs tasks on threads that may be blocked, a few at a time: a test that waits for a broker would otherwise take up
/// one of the shared threads, of which there are as many as cores.
public final class BlockingThreads: TaskExecutor {
  /// For all tests that wait for servers.
  public static let shared = BlockingThreads(count: 6)

  private let queue = DispatchQueue(label: "blocking tests", attributes: .concurrent)
  private let places: DispatchSemaphore

  private init(count: Int) { places = DispatchSemaphore(value: count) }

  /// See `TaskExecutor`.
  public func enqueue(_ job: consuming ExecutorJob) {
    let job = UnownedJob(job)
    queue.async { [self] in
      places.wait()
      defer { places.signal() }
      job.runSynchronously(on: asUnownedTaskExecutor())
    }
  }
}
