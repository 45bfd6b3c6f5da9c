import HTTP
import Threading
import Sockets

/// What the server gives to one client, and to all together. The defaults suit the open internet.
public struct Limits: Sendable {
  /// How large a request may be.
  public var request = RequestLimits()
  /// What one HTTP/2 connection may use besides. The times below hold for it too, in place of its own.
  public var http2 = HTTP2Limits()
  /// From a connection's start to the end of its TLS handshake.
  public var handshake = Duration.seconds(10)
  /// From a connection's start, or a request's first byte, to the end of its header section; then 408.
  public var header = Duration.seconds(10)
  /// From the end of the header section to the end of the content; then 408.
  public var body = Duration.seconds(30)
  /// How long a response that the client does not read fast enough may take: this long, and a second more for each
  /// `minimumWriteRate` bytes that it did take.
  public var write = Duration.seconds(30)
  /// The slowest reading, in bytes a second, that keeps a connection alive beyond `write`.
  public var minimumWriteRate = 16 * 1024
  /// How long a connection may stay without a request.
  public var idle = Duration.seconds(60)
  /// How long, after the last response, what the client still sends is read and dropped, so that the response is not
  /// lost to a reset (RFC 9112 §9.6).
  public var linger = Duration.seconds(2)
  /// Connections at one time. Beyond it a connection gets a 503 and is closed.
  public var connections = 10_000
  /// Connections at one time from one IPv4 address or one IPv6 /64 network; beyond it likewise. Behind a proxy all
  /// clients have its address: raise it there.
  public var connectionsPerAddress = 1_000
  /// Requests that wait for a worker at one time. Beyond it a request gets a 503: the newest one of the network, in the
  /// sense of `connectionsPerAddress`, that has the most of them waiting.
  public var waitingForWorker = 1_000
  /// Bytes of large responses (32 KiB or more) that wait for their clients to read them, all together; one that many
  /// are sent counts once. Beyond it a request whose response is large gets a 503, and a client that follows one is cut
  /// off.
  public var unsentBodies = 256 * 1024 * 1024

  /// Bytes of streamed responses that wait in memory for their clients to read them, all together. Beyond it, and for
  /// one response beyond 256 KiB, they wait in a file.
  public var spoolMemory = 64 * 1024 * 1024
  /// The folder of that file, which is unlinked as soon as it is open; nil: there is none, and a worker waits for its
  /// client where memory does not do.
  public var spoolFolder: String?
  /// The size of that file. When it is full, the largest response of the network that has the most is broken off for
  /// one that has less than half of that; else a worker waits for its client, until others need its thread.
  public var spoolDisk = 1024 * 1024 * 1024

  /// The defaults.
  public init() {}

  /// Those of an HTTP/2 session.
  var http2Session: HTTP2Limits {
    var session = http2
    session.header = header
    session.body = body
    session.write = write
    session.minimumWriteRate = minimumWriteRate
    session.idle = idle
    return session
  }
}

/// The deadlines of `Limits`, ready to be added to an instant.
struct Spans {
  let header: Instant.Span
  let body: Instant.Span
  let idle: Instant.Span
  let linger: Instant.Span
  let write: Instant.Span
  let minimumWriteRate: Int

  init(_ limits: Limits) {
    header = .init(limits.header)
    body = .init(limits.body)
    idle = .init(limits.idle)
    linger = .init(limits.linger)
    write = .init(limits.write)
    minimumWriteRate = max(1, limits.minimumWriteRate)
  }
}
