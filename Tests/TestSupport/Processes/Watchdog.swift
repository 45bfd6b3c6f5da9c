import Glibc
import Threading

/// A small shell that outlives this process to clean up after it: it reads from a socket that is never written to,
/// and when that ends, because of ``finish()`` or because this process is gone, it stops the cluster and
/// deletes the folder.
final class Watchdog: Sendable {
  private static let script = """
    trap '' INT TERM HUP
    cat > /dev/null
    folder=$1
    shift
    "$@" -D "$folder/data" -m immediate -w stop
    rm -rf "$folder"
    """

  private let process: ChildProcess
  private let socket: Lock<Int32>

  init(stopping folder: String, with programs: PostgresPrograms) throws {
    var ends: [Int32] = [0, 0]
    // Closed on exec from the start, or another child would keep it open; Glibc's module has no pipe2.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw TestSupportError("no socket pair: \(String(cString: strerror(errno)))")
    }
    socket = Lock(ends[1])
    // Not inside the folder, which is going to be deleted.
    process = try ChildProcess(
      ["/bin/sh", "-c", Self.script, "sh", folder] + programs.prefix + [programs.path("pg_ctl")],
      in: "/",
      input: ends[0]
    )
    close(ends[0])
  }

  /// Cleans up now, and waits for it.
  func finish() {
    let isFirst = socket.withLock { descriptor in
      guard descriptor >= 0 else { return false }
      close(descriptor)
      descriptor = -1
      return true
    }
    if isFirst { _ = process.wait() }
  }
}
