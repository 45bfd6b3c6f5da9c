import Glibc
import HTTP
import HTTPServer
import Threading
import Prometheus
import Sockets
import Synchronization
import Testing

/// A server on a free port with a few routes, which is stopped when the test lets go of it.
final class TestServer {
  /// What the server and its handlers did.
  final class Record: Sendable {
    private let observationList = Lock<[ServerObservation]>([])
    private let handledList = Lock<[String]>([])
    private let gateIsOpen = Atomic(false)
    private let gateCount = Atomic(0)

    /// What `/big` gives to all.
    let big = [UInt8](repeating: 0x78, count: 8 * 1024 * 1024)
    private let channelList = Lock<[PushChannel]>([])
    private let closedCount = Atomic(0)
    private let pieceCount = Atomic(0)
    private let brokenCount = Atomic(0)
    private let madeCount = Atomic(0)

    /// The channels of `/push`, oldest first.
    var channels: [PushChannel] { channelList.withLock { $0 } }
    /// How many of them are over.
    var closedChannels: Int { closedCount.load(ordering: .sequentiallyConsistent) }
    /// How many pieces streams have written.
    var pieces: Int { pieceCount.load(ordering: .sequentiallyConsistent) }
    /// How many answers of `/block` and `/stream` were begun by a worker.
    var made: Int { madeCount.load(ordering: .sequentiallyConsistent) }
    func recordMade() { madeCount.add(1, ordering: .sequentiallyConsistent) }
    /// How many streams lost their client.
    var brokenStreams: Int { brokenCount.load(ordering: .sequentiallyConsistent) }

    /// What was observed so far.
    var observations: [ServerObservation] { observationList.withLock { $0 } }
    /// The lines for an access log so far.
    var answered: [CompletedRequest] {
      observations.compactMap { if case .answered(let request) = $0 { request } else { nil } }
    }

    /// The targets that reached the handler.
    var handled: [String] { handledList.withLock { $0 } }
    /// How many requests for `/gate` have reached a worker, where they wait until the gate is open.
    var atGate: Int { gateCount.load(ordering: .sequentiallyConsistent) }

    func record(_ observation: ServerObservation) { observationList.withLock { $0.append(observation) } }
    func record(_ request: Request) { handledList.withLock { $0.append(request.target.raw) } }

    func record(_ channel: PushChannel) {
      channel.whenClosed { [self] in closedCount.add(1, ordering: .sequentiallyConsistent) }
      channelList.withLock { $0.append(channel) }
    }

    /// Writes `count` pieces of so many bytes.
    func write(_ count: Int, _ bytes: Int, to stream: ResponseStream) throws(StreamBroken) {
      recordMade()
      do throws(StreamBroken) {
        try stream.begin(Response(status: .ok, fields: ["X": "y"]))
        for number in 0..<count {
          try stream.write([UInt8](repeating: UInt8(ascii: "a") + UInt8(number % 26), count: bytes))
          pieceCount.add(1, ordering: .sequentiallyConsistent)
        }
      } catch {
        brokenCount.add(1, ordering: .sequentiallyConsistent)
        throw error
      }
    }

    func waitAtGate() {
      gateCount.add(1, ordering: .sequentiallyConsistent)
      _ = eventually { gateIsOpen.load(ordering: .sequentiallyConsistent) }
    }

    func openGate() { gateIsOpen.store(true, ordering: .sequentiallyConsistent) }
  }

  let server: Server
  let record = Record()
  let metrics = ServerMetrics()
  var address: SocketAddress { server.boundAddress }

  init(
    loops: Int = 1,
    workers: Int = 2,
    certificate: ServerCertificate? = nil,
    _ change: (inout Limits) -> Void = { _ in }
  ) throws {
    var limits = Limits()
    change(&limits)
    server = Server(
      address: .loopback(),
      certificate: certificate,
      limits: limits,
      loops: loops,
      workers: workers,
      observe: { [record] in record.record($0) },
      logsRequests: true,
      metrics: metrics,
      route: { $0.target.decodedPath },
      errorResponse: { Response(status: $0, text: "error: \($1)", contentType: "application/problem+json") },
      contentLimit: { $0.target.decodedPath == "/no-content" ? 0 : .max },
      handler: { [record] in TestServer.handle($0, record) }
    )
    try server.start()
  }

  deinit {
    record.openGate()
    server.stop(deadline: .zero)
    server.wait()
  }

  /// The value of a series of its metrics, whose prefix is `t`.
  func metric(_ series: String) -> Double? {
    var page = Exposition()
    metrics.write(to: &page, prefix: "t")
    let line = page.text.split(separator: "\n").first { $0.hasPrefix(series + " ") }
    return line.flatMap { Double($0.split(separator: " ")[1]) }
  }

  /// Bytes that all connections together have read.
  var receivedBytes: Int { Int(metric("t_received_bytes_total") ?? 0) }

  /// Waits until they are so many, or the server has ended its side of the connection.
  func waitUntilTaken(_ count: Int, from client: TestClient) {
    let deadline = Instant.now() + .seconds(5)
    while receivedBytes < count, !client.hasEnded {
      guard Instant.now() < deadline else {
        Issue.record("the server has not read what was sent")
        return
      }
      sched_yield()
    }
  }

  func client(receiveBuffer: Int32? = nil, from host: UInt8? = nil) throws -> TestClient {
    try TestClient(address, receiveBuffer: receiveBuffer, from: host)
  }

  private static func handle(_ request: Request, _ record: Record) -> Reply {
    record.record(request)
    switch request.target.decodedPath {
    case "/big": return .ready(Response(status: .ok, body: record.big))
    case "/echo": return .ready(Response(status: .ok, body: request.body))
    case "/fields":
      let lines = request.fields.map { "\($0.name.lowercased()): \($0.value)" }
      return .ready(Response(status: .ok, text: lines.joined(separator: "\n")))
    case "/own":
      let body = [UInt8](repeating: 0x78, count: Int(request.target.query ?? "") ?? 0)
      return .blocking { Response(status: .ok, body: body) }
    case "/held":
      record.waitAtGate()
      return .ready(Response(status: .ok, text: "held"))
    case "/close": return .ready(Response(status: .ok, fields: ["Connection": "close"], text: "bye"))
    case "/block":
      return .blocking {
        record.recordMade()
        return Response(status: .ok, text: request.target.raw)
      }
    case "/stream-gate":
      return .streaming { (stream) throws(StreamBroken) in
        record.waitAtGate()
        try record.write(1, 1, to: stream)
      }
    case "/gate":
      return .blocking {
        record.waitAtGate()
        return Response(status: .ok, text: "through")
      }
    case "/stream":
      let numbers = (request.target.query ?? "").split(separator: "x").compactMap { Int($0) }
      return .streaming { (stream) throws(StreamBroken) in
        try record.write(numbers[0], numbers[1], to: stream)
      }
    case "/stream-fails":
      return .streaming { (stream) throws(StreamBroken) in
        try record.write(1, 3, to: stream)
        throw .failed
      }
    case "/stream-not-begun": return .streaming { _ in }
    case "/stream-not-modified":
      return .streaming { (stream) throws(StreamBroken) in
        try stream.begin(Response(status: .notModified))
        try stream.write([1])
      }
    case "/push":
      return .push { channel in
        let beats = request.target.query == "beats"
        channel.begin(
          Response(status: .ok, text: "first", contentType: "text/event-stream"),
          heartbeat: .init(interval: beats ? .milliseconds(20) : .seconds(60), bytes: Array(":\n".utf8))
        )
        record.record(channel)
      }
    case "/push-silent": return .push { record.record($0) }
    default: return .ready(Response(status: .ok, text: request.target.raw))
    }
  }
}

/// Whether the condition comes true within ten seconds.
func eventually(_ condition: () -> Bool) -> Bool {
  let deadline = Instant.now() + .seconds(10)
  while !condition() {
    guard Instant.now() < deadline else { return false }
    usleep(1000)
  }
  return true
}

/// The sockets that this process has open to or at a port: /proc/net/tcp knows them by inode, /proc/self/fd says which
/// are ours. Counting all descriptors instead would see those of tests that run at the same time.
func openSockets(localPort: UInt16) -> Int {
  var inodes: Set<String> = []
  let port = String(localPort, radix: 16, uppercase: true)
  let suffix = ":" + String(repeating: "0", count: 4 - port.count) + port
  guard let file = fopen("/proc/net/tcp", "r") else { return -1 }
  defer { fclose(file) }
  var line = [CChar](repeating: 0, count: 512)
  while fgets(&line, Int32(line.count), file) != nil {
    let text = String(decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    let words = text.split(separator: " ")
    // Inode 0: without an owner, the kernel finishes it alone. State 0A: the listener.
    if words.count > 9, words[1].hasSuffix(suffix), words[3] != "0A", words[9] != "0" {
      inodes.insert(String(words[9]))
    }
  }
  return inodes.count
}
