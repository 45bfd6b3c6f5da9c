import Foundation
import Glibc

extension PostgresCluster {
  /// Stops the server and all its sessions in the middle of whatever they do, as a frozen machine does: connections
  /// stay open, and nothing is answered. `thaw()` must be called.
  public func freeze() throws {
    let postmaster = try postmaster()
    kill(postmaster, SIGSTOP)
    for child in children(of: postmaster) { kill(child, SIGSTOP) }
  }

  /// Lets the frozen server go on.
  public func thaw() {
    guard let postmaster = try? postmaster() else { return }
    for child in children(of: postmaster) { kill(child, SIGCONT) }
    kill(postmaster, SIGCONT)
  }

  private func postmaster() throws -> pid_t {
    let lines = try String(contentsOfFile: folder + "/data/postmaster.pid", encoding: .utf8)
    guard let pid = pid_t(lines.prefix { $0 != "\n" }) else { throw TestSupportError("no postmaster.pid") }
    return pid
  }

  private func children(of parent: pid_t) -> [pid_t] {
    let names = (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? []
    return names.compactMap { pid_t($0) }.filter { pid in
      guard let stat = try? String(contentsOfFile: "/proc/\(pid)/stat", encoding: .utf8) else { return false }
      // The name in parentheses may contain spaces; the parent is the second field behind it.
      guard let end = stat.lastIndex(of: ")") else { return false }
      let fields = stat[stat.index(after: end)...].split(separator: " ")
      return fields.count > 1 && pid_t(fields[1]) == parent
    }
  }
}
