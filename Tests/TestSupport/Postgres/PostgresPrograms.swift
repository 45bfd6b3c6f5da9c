import Foundation
import Glibc

/// A test's surroundings are not as they must be; says what to do.
public struct TestSupportError: Error, CustomStringConvertible {
  /// What is wrong.
  public let description: String

  /// An error with that text.
  public init(_ description: String) {
    self.description = description
  }
}

/// PostgreSQL's server programs, and the user that may run them: `initdb` and `postgres` refuse to run as root.
struct PostgresPrograms: Sendable {
  private let folder: String
  /// What to put before a command to run it as the user `postgres`; empty when not root.
  let prefix: [String]

  init() throws {
    guard let folder = Self.programFolder() else {
      throw TestSupportError(
        "PostgreSQL's server programs are missing; install them: apt-get install postgresql"
      )
    }
    self.folder = folder
    prefix = geteuid() == 0 ? try Self.switchUser() : []
  }

  func path(_ program: String) -> String { folder + "/" + program }

  /// A new folder in /tmp (a socket's path must stay short), owned by the user that runs the server.
  func makeFolder() throws -> String {
    var template = Array("/tmp/topitems-postgres-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
      throw TestSupportError("cannot make a folder in /tmp: \(String(cString: strerror(errno)))")
    }
    try giveAway(path)
    return path
  }

  /// Writes a file that only the server's user can read.
  func write(_ text: String, to path: String) throws {
    let isWritten = FileManager.default.createFile(
      atPath: path,
      contents: Data(text.utf8),
      attributes: [.posixPermissions: 0o600]
    )
    guard isWritten else { throw TestSupportError("cannot write \(path)") }
    try giveAway(path)
  }

  /// Runs a program as the right user; its output goes to a file, because a started server would keep a pipe
  /// open.
  func run(
    _ program: String,
    _ arguments: [String],
    in folder: String,
    environment: [String: String] = [:]
  ) throws {
    let variables = environment.isEmpty ? [] : ["/usr/bin/env"] + environment.map { "\($0)=\($1)" }
    let command = prefix + variables + [path(program)] + arguments
    let log = folder + "/\(program).log"
    let status = try ChildProcess(command, in: folder, output: log).wait()
    guard status == 0 else {
      let said = (try? String(contentsOfFile: log, encoding: .utf8)) ?? ""
      let server = (try? String(contentsOfFile: folder + "/server.log", encoding: .utf8)) ?? ""
      throw TestSupportError("\(program) failed: \(said)\(server.suffix(2000))")
    }
  }

  private func giveAway(_ path: String) throws {
    guard !prefix.isEmpty else { return }
    guard let user = getpwnam("postgres"), chown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
      throw TestSupportError("cannot give \(path) to the user postgres: \(String(cString: strerror(errno)))")
    }
  }

  private static func switchUser() throws -> [String] {
    guard getpwnam("postgres") != nil else {
      throw TestSupportError(
        "root cannot run PostgreSQL, and there is no user postgres; make one: apt-get install postgresql"
      )
    }
    let places = searchPath + ["/usr/sbin", "/sbin"]
    if let runuser = firstExecutable("runuser", in: places) { return [runuser, "-u", "postgres", "--"] }
    if let setpriv = firstExecutable("setpriv", in: places) {
      return [setpriv, "--reuid=postgres", "--regid=postgres", "--init-groups", "--"]
    }
    throw TestSupportError("neither runuser nor setpriv is here; install them: apt-get install util-linux")
  }

  /// Debian keeps each version in a folder of its own, outside of PATH; the newest wins.
  private static func programFolder() -> String? {
    let root = "/usr/lib/postgresql"
    let versions = (try? FileManager.default.contentsOfDirectory(atPath: root)) ?? []
    let folders = versions.compactMap { Int($0) }.sorted(by: >).map { "\(root)/\($0)/bin" } + searchPath
    return folders.first { folder in
      ["initdb", "pg_ctl", "postgres"].allSatisfy { firstExecutable($0, in: [folder]) != nil }
    }
  }

  private static var searchPath: [String] {
    (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":").map(String.init)
  }

  private static func firstExecutable(_ name: String, in folders: [String]) -> String? {
    folders.map { "\($0)/\(name)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
  }
}
