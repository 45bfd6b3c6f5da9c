import Foundation
import Glibc
import Threading

/// A shell that outlives this process, however that ends, and then kills the processes that it was given.
final class ProcessKeeper: Sendable {
  static let shared = Result { try ProcessKeeper() }

  /// Deleted at the end.
  let folder: String
  private let socket: Lock<Int32>

  /// Each line names a process by its id and start time (field 22 of its stat file), so that another one that got
  /// the same id is left alone.
  private static let script = """
    trap '' INT TERM HUP
    folder=$1
    while read -r pid started; do printf '%s %s\\n' "$pid" "$started" >>"$folder/started"; done
    if [ -f "$folder/started" ]; then
      while read -r pid started; do
        stat=$(sed 's/.*) //' "/proc/$pid/stat" 2>/dev/null) || continue
        set -- $stat
        [ "${20}" != "$started" ] || kill -KILL "$pid"
      done <"$folder/started"
    fi
    rm -rf "$folder"
    """

  private init() throws {
    var template = Array("/tmp/topitems-processes-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
      throw TestSupportError("cannot make a folder in /tmp: \(String(cString: strerror(errno)))")
    }
    folder = path
    var ends: [Int32] = [0, 0]
    // Closed on exec from the start, or another child would keep it open; Glibc's module has no pipe2.
    let type = Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, type, 0, &ends) == 0 else {
      throw TestSupportError("no socket pair: \(String(cString: strerror(errno)))")
    }
    socket = Lock(ends[1])
    _ = try Spawn.start(
      ["/bin/sh", "-c", Self.script, "sh", path],
      environment: ProcessInfo.processInfo.environment,
      input: .descriptor(ends[0]),
      output: "/dev/null",
      errors: "/dev/null"
    )
    close(ends[0])
  }

  func add(_ pid: pid_t) throws {
    guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8),
      let name = stat.lastIndex(of: ")")
    else { throw TestSupportError("no process \(pid)") }
    let fields = stat[stat.index(after: name)...].split(separator: " ")
    let line = Array("\(pid) \(fields[19])\n".utf8)
    socket.withLock { socket in
      // Should it be gone, nothing is lost but tidiness after a crash.
      _ = line.withUnsafeBytes { send(socket, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL)) }
    }
  }
}
