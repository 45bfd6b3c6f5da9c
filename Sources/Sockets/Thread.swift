import CLinux
import Glibc

private final class ThreadBody {
  let run: () -> Void
  init(_ run: @escaping () -> Void) { self.run = run }
}

/// Starts a detached thread. All signals are blocked in it: they are for the main thread, whose handlers expect them.
///
/// - Parameter name: shown by `ps -L` and debuggers, at most 15 bytes.
public func startThread(name: String, _ body: sending @escaping () -> Void) throws(SystemError) {
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
    throw SystemError(call: "pthread_create", code: code)
  }
  _ = pthread_setname_np(thread, String(name.utf8.prefix(15)) ?? "")
  pthread_detach(thread)
}

private func runThread(_ argument: UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? {
  guard let argument else { return nil }
  Unmanaged<ThreadBody>.fromOpaque(argument).takeRetainedValue().run()
  return nil
}
