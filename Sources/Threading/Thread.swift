import CLinux
import Glibc

/// A thread could not be started: the error number of `pthread_create`.
public struct ThreadError: Error, CustomStringConvertible {
  /// The error number, `EAGAIN` as a rule: a limit of threads or memory.
  public let code: Int32

  /// For people.
  public var description: String { "pthread_create: \(String(cString: strerror(code)))" }
}

private final class ThreadBody {
  let run: () -> Void
  init(_ run: @escaping () -> Void) { self.run = run }
}

/// Starts a detached thread. All signals are blocked in it: they are for the main thread, whose handlers expect them.
///
/// - Parameter name: shown by `ps -L` and debuggers, at most 15 bytes.
/// - Throws: `ThreadError`; then the body is not run.
public func startThread(name: String, _ body: sending @escaping () -> Void) throws(ThreadError) {
  let argument = Unmanaged.passRetained(ThreadBody(body)).toOpaque()
  // A new thread inherits the mask of its creator.
  var all = sigset_t()
  var previous = sigset_t()
  sigfillset(&all)
  pthread_sigmask(SIG_SETMASK, &all, &previous)
  defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
  var thread = pthread_t()
  let code = pthread_create(&thread, nil, runThread, argument)
  guard code == 0 else {
    Unmanaged<ThreadBody>.fromOpaque(argument).release()
    throw ThreadError(code: code)
  }
  _ = pthread_setname_np(thread, String(name.utf8.prefix(15)) ?? "")
  pthread_detach(thread)
}

/// Starts a thread that the process cannot work without; ends the process where that fails.
///
/// - Parameter name: as for `startThread`.
public func requireThread(name: String, _ body: sending @escaping () -> Void) {
  do {
    try startThread(name: name, body)
  } catch {
    fatalError("the thread '\(name)' could not be started: \(error)")
  }
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
  return nil
}
