import Foundation
import Glibc
import Threading

/// Starts the built `topitems` binary, keeps what it says, and leaves no process behind.
///
/// What a process writes goes to files in a temporary folder, so that it never waits for a reader. Should this
/// process die in whatever way, a shell kills what it had started and deletes the folder.
public final class ProcessRunner: Sendable {
  /// How a process ended.
  public enum Ending: Equatable, Sendable, CustomStringConvertible {
    /// By itself, with that status.
    case exited(Int32)
    /// By that signal.
    case killed(signal: Int32)

    /// For messages.
    public var description: String {
      switch self {
      case .exited(let status): "exit status \(status)"
      case .killed(let signal): "signal \(signal)"
      }
    }
  }

  /// A process that has ended.
  public struct Finished: Sendable {
    /// How.
    public let ending: Ending
    /// What it wrote to standard output.
    public let output: String
    /// What it wrote to standard error.
    public let errors: String
  }

  /// How much of a process's output is read at most: its end.
  public static let keptBytes = 1 << 20

  /// The process's id.
  public let pid: pid_t
  /// For messages, e.g. `topitems ingest`.
  public let name: String
  private let outputPath: String
  private let errorPath: String
  private let ending = Lock<Ending?>(nil)
  /// Up to where each text was searched, and how often it was found.
  private let searched = Lock<[String: (start: Int, count: Int)]>([:])

  /// The release binary under test.
  public static func binary() throws -> String {
    guard let path = ProcessInfo.processInfo.environment["TOPITEMS_BINARY"], !path.isEmpty else {
      throw TestSupportError(
        "TOPITEMS_BINARY is not set: run the end-to-end tests by `make test`, which sets it"
      )
    }
    guard FileManager.default.isExecutableFile(atPath: path) else {
      throw TestSupportError("TOPITEMS_BINARY is \(path), which is not there: `make test` builds it")
    }
    return path
  }

  /// A new folder that is deleted with this process at the latest.
  public static func temporaryFolder() throws -> String {
    let path = "\(try ProcessKeeper.shared.get().folder)/\(UUID().uuidString)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
    return path
  }

  /// Starts the binary.
  ///
  /// - Parameters:
  ///   - environment: added to this process's, of which no `TOPITEMS_…` variable is passed on; nil removes one.
  ///   - input: what it can read from standard input.
  public convenience init(
    _ arguments: [String],
    environment: [String: String?] = [:],
    input: [UInt8] = []
  ) throws {
    try self.init(Self.binary(), arguments, environment: environment, input: input)
  }

  /// Starts any program.
  public init(
    _ program: String,
    _ arguments: [String],
    environment: [String: String?] = [:],
    input: [UInt8] = []
  ) throws {
    let folder = try ProcessKeeper.shared.get().folder
    let base = "\(folder)/\(UUID().uuidString)"
    outputPath = base + ".out"
    errorPath = base + ".err"
    name = ([URL(fileURLWithPath: program).lastPathComponent] + arguments.prefix { !$0.hasPrefix("-") })
      .joined(separator: " ")
    var inputPath = "/dev/null"
    if !input.isEmpty {
      inputPath = base + ".in"
      try Data(input).write(to: URL(fileURLWithPath: inputPath))
    }
    var variables = ProcessInfo.processInfo.environment.filter { !$0.key.hasPrefix("TOPITEMS_") }
    for (name, value) in environment { variables[name] = value }
    pid = try Spawn.start(
      [program] + arguments,
      environment: variables,
      input: .file(inputPath),
      output: outputPath,
      errors: errorPath
    )
    try ProcessKeeper.shared.get().add(pid)
  }

  deinit { end() }

  /// Starts the binary and waits for its end.
  public static func run(
    _ arguments: [String],
    environment: [String: String?] = [:],
    input: [UInt8] = [],
    within limit: Duration = .seconds(60)
  ) throws -> Finished {
    let process = try ProcessRunner(arguments, environment: environment, input: input)
    let ending = try process.wait(within: limit)
    return Finished(ending: ending, output: process.output, errors: process.errors)
  }

  /// What it has written to standard output so far.
  public var output: String { Self.read(outputPath) }

  /// What it has written to standard error so far.
  public var errors: String { Self.read(errorPath) }

  /// Whether it has not ended yet.
  public var isRunning: Bool { poll() == nil }

  /// Sends a signal, unless the process has ended. With SIGSTOP it returns when all threads have stopped, which they do
  /// one after the other: on a busy machine some work on for a while.
  public func signal(_ number: Int32) {
    ending.withLock { ending in
      guard Self.reap(pid, &ending) == nil else { return }  // the id may be another's by now
      kill(pid, number)
    }
    if number == SIGSTOP { _ = holds(within: .seconds(10)) { isStopped } }
  }

  /// Whether every thread is stopped (the state T in proc_pid_stat(5)), or the process has ended.
  private var isStopped: Bool {
    let tasks = "/proc/\(pid)/task"
    let threads = (try? FileManager.default.contentsOfDirectory(atPath: tasks)) ?? []
    return threads.allSatisfy { thread in
      let stat = FileManager.default.contents(atPath: "\(tasks)/\(thread)/stat") ?? Data()
      return String(decoding: stat, as: UTF8.self).split(separator: ")").last?.hasPrefix(" T") ?? true
    }
  }

  /// Waits for the end.
  ///
  /// - Parameter limit: how long it may go on without writing anything more (see ``ProgressDeadline``).
  /// - Throws: when the time is up; the process is killed then, and the error shows what it said.
  public func wait(within limit: Duration) throws -> Ending {
    var deadline = ProgressDeadline(limit)
    while true {
      if let ending = poll() { return ending }
      deadline.look(written)
      guard !deadline.isOver else {
        let (state, verdict) = (MachineState.process(pid), deadline.verdict)
        end()
        throw TestSupportError("\(name) did not end; \(state); \(verdict); it was killed\(story)")
      }
      deadline.pause()
    }
  }

  /// Waits until it has written the text to standard error; the limit is as for `waitUntil`.
  public func waitForErrors(containing text: String, within limit: Duration) throws {
    try waitUntil(within: limit, "it says '\(text)'") { hasSaid(text) }
  }

  /// Waits until something holds, as long as the process runs.
  ///
  /// - Parameters:
  ///   - limit: how long nothing may change (see ``ProgressDeadline``).
  ///   - seen: how far things have got; that the process writes more is such a change in any case.
  public func waitUntil(
    within limit: Duration,
    _ what: String,
    seen: () throws -> String = { "" },
    _ condition: () throws -> Bool
  ) throws {
    var deadline = ProgressDeadline(limit)
    while try !condition() {
      if let ending = poll() { throw TestSupportError("\(name) ended (\(ending)) before \(what)\(story)") }
      let progress = try seen()
      deadline.look(progress.isEmpty ? written : "\(progress), \(written)")
      guard !deadline.isOver else {
        throw TestSupportError(
          "\(name), not happened: \(what); \(MachineState.process(pid)); \(deadline.verdict)\(story)"
        )
      }
      deadline.pause()
    }
  }

  /// Whether it has written the text to standard error.
  public func hasSaid(_ text: String) -> Bool { count(of: text) > 0 }

  /// How often it has written the text to standard error. What was searched before is not searched again.
  public func count(of text: String) -> Int {
    searched.withLock { searched in
      var (start, count) = searched[text] ?? (0, 0)
      guard let file = FileHandle(forReadingAtPath: errorPath) else { return count }
      defer { try? file.close() }
      try? file.seek(toOffset: UInt64(start))
      let new = (try? file.readToEnd()) ?? Data()
      let wanted = Data(text.utf8)
      var rest = new[...]
      while let found = rest.range(of: wanted) {
        count += 1
        rest = rest[found.upperBound...]
      }
      // The text's beginning may be there already.
      start += (rest.startIndex - new.startIndex) + max(0, rest.count - wanted.count + 1)
      searched[text] = (start, count)
      return count
    }
  }

  /// How much it has written.
  private var written: String {
    let sizes = [outputPath, errorPath].map { path in
      var status = stat()
      return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
    return "\(sizes[0] + sizes[1]) bytes written"
  }

  /// A line of `/proc/PID/status`, such as `VmRSS` (what is resident now) or `VmHWM` (the most that ever was); 0 where
  /// there is none.
  public func kibibytes(_ name: String) -> Int {
    let status = (try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8)) ?? ""
    let line = status.split(separator: "\n").first { $0.hasPrefix(name + ":") }
    return line?.split(whereSeparator: \.isWhitespace).dropFirst().first.flatMap { Int($0) } ?? 0
  }

  /// How many file descriptors it has open.
  public var descriptors: Int {
    (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd").count) ?? 0
  }

  /// Kills it if it runs, and waits until it is gone.
  public func end() {
    signal(SIGKILL)
    while poll() == nil { usleep(500) }
  }

  /// The end of what it said, for messages.
  public var story: String {
    let text = errors
    return text.isEmpty ? "; it said nothing" : "; the end of what it said:\n\(text.suffix(6000))"
  }

  private func poll() -> Ending? {
    ending.withLock { Self.reap(pid, &$0) }
  }

  private static func reap(_ pid: pid_t, _ ending: inout Ending?) -> Ending? {
    if let ending { return ending }
    var status: Int32 = 0
    guard waitpid(pid, &status, WNOHANG) == pid else { return nil }
    let signal = status & 0x7F
    ending = signal == 0 ? .exited((status >> 8) & 0xFF) : .killed(signal: signal)
    return ending
  }

  private static func read(_ path: String) -> String {
    guard let file = FileHandle(forReadingAtPath: path) else { return "" }
    defer { try? file.close() }
    let size = (try? file.seekToEnd()) ?? 0
    let start = size > UInt64(keptBytes) ? size - UInt64(keptBytes) : 0
    try? file.seek(toOffset: start)
    let data = (try? file.read(upToCount: keptBytes)) ?? Data()
    return String(decoding: data, as: UTF8.self)
  }
}
