import Glibc

/// Runs the body on a detached thread of its own.
func detachThread(_ body: @escaping @Sendable () -> Void) {
  final class Body: Sendable {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }
  var thread = pthread_t()
  let context = Unmanaged.passRetained(Body(body))
  let code = pthread_create(
    &thread,
    nil,
    { context in
      if let context { Unmanaged<Body>.fromOpaque(context).takeRetainedValue().run() }
      return nil
    },
    context.toOpaque()
  )
  precondition(code == 0, "pthread_create: \(String(cString: strerror(code)))")
  pthread_detach(thread)
}
