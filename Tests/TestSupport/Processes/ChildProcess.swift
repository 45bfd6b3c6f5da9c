import Glibc

/// A child process, started without Foundation: its `Process` believes a child alive as long as anything that
/// the child started is, and `pg_ctl start` leaves a server behind.
struct ChildProcess: Sendable {
  let pid: pid_t

  /// Starts a command in a folder. Nothing but the three standard descriptors is inherited.
  ///
  /// - Parameters:
  ///   - input: the descriptor to read from; nothing to read without one.
  ///   - output: the file that standard output and standard error go to.
  init(_ command: [String], in folder: String, input: Int32? = nil, output: String = "/dev/null") throws {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    if let input {
      posix_spawn_file_actions_adddup2(&actions, input, 0)
    } else {
      posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
    }
    posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC, 0o600)
    posix_spawn_file_actions_adddup2(&actions, 1, 2)
    // A descriptor that is not open is fine here; addclosefrom and addchdir are not in Glibc's module.
    for descriptor in 3..<Spawn.descriptorsEnd { posix_spawn_file_actions_addclose(&actions, descriptor) }
    let command = ["/bin/sh", "-c", "cd \"$1\" && shift && exec \"$@\"", "sh", folder] + command

    var arguments = command.map { strdup($0) } + [nil]
    defer { for argument in arguments { free(argument) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, command[0], &actions, nil, &arguments, environ)
    guard code == 0 else {
      throw TestSupportError("cannot start \(command[0]): \(String(cString: strerror(code)))")
    }
    self.pid = pid
  }

  /// Waits for the end; the exit status, or 128 + the signal's number. To be called once.
  func wait() -> Int32 {
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 {
      guard errno == EINTR else { return -1 }
    }
    let signal = status & 0x7F
    return signal == 0 ? (status >> 8) & 0xFF : 128 + signal
  }
}
