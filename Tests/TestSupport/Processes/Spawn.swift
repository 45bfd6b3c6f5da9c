import Foundation
import Glibc

/// Starts a process that inherits nothing but its three standard descriptors, and no ignored signal.
enum Spawn {
  enum Input {
    case file(String)
    case descriptor(Int32)
  }

  /// Above all descriptors that are open now, and some more that other threads may open meanwhile; some tests open
  /// thousands. Closing one beyond the process's limit would fail.
  static var descriptorsEnd: Int32 {
    let open = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")) ?? []
    let highest = open.compactMap { Int($0) }.max() ?? 1023
    return Int32(clamping: min(sysconf(Int32(_SC_OPEN_MAX)), highest + 65))
  }

  static func start(
    _ command: [String],
    environment: [String: String],
    input: Input,
    output: String,
    errors: String
  ) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    switch input {
    case .file(let path): posix_spawn_file_actions_addopen(&actions, 0, path, O_RDONLY, 0)
    case .descriptor(let descriptor): posix_spawn_file_actions_adddup2(&actions, descriptor, 0)
    }
    for (descriptor, path) in [(Int32(1), output), (2, errors)] {
      posix_spawn_file_actions_addopen(&actions, descriptor, path, O_WRONLY | O_CREAT | O_APPEND, 0o600)
    }
    // A descriptor that is not open is fine here; addclosefrom is not in Glibc's module.
    for descriptor in 3..<descriptorsEnd { posix_spawn_file_actions_addclose(&actions, descriptor) }

    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // What was started in a shell's background has SIGINT ignored, and would pass that on.
    var signals = sigset_t()
    sigemptyset(&signals)
    posix_spawnattr_setsigmask(&attributes, &signals)
    for number in [SIGINT, SIGTERM, SIGHUP, SIGPIPE] { sigaddset(&signals, number) }
    posix_spawnattr_setsigdefault(&attributes, &signals)
    posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

    var arguments = command.map { strdup($0) } + [nil]
    var variables = environment.map { strdup("\($0.key)=\($0.value)") } + [nil]
    defer { for pointer in arguments + variables { free(pointer) } }
    var pid: pid_t = 0
    let code = posix_spawn(&pid, command[0], &actions, &attributes, &arguments, &variables)
    guard code == 0 else {
      throw TestSupportError("cannot start \(command[0]): \(String(cString: strerror(code)))")
    }
    return pid
  }
}
