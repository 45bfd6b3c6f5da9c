import HTTP
import Threading
import Sockets
import TLS

/// What the server has to say to logs and metrics. Emitted on the loops' threads: a subscriber does not wait.
public enum ServerObservation: Sendable {
  /// The server takes connections at this address.
  case listening(SocketAddress)
  /// A request was refused before any handler saw it: for what, or how slowly, its client sent, or because no worker
  /// thread was free. At most one a second from each loop, so that no client can flood a log; `suppressed` is the
  /// number of those that were not reported since.
  case refusedRequest(ProtocolError, peer: SocketAddress, suppressed: Int)
  /// A request was answered, or the response could not be completed. Reported only if the server is made to log
  /// requests.
  case answered(CompletedRequest)
  /// A connection got a 503 for a limit of connections. At most one a second from each loop, as above.
  case refusedConnection(ConnectionLimit, peer: SocketAddress, suppressed: Int)
  /// A client did not get through TLS's handshake, or broke its rules. At most one a second from each loop, as above.
  case refusedTLS(TLSError, peer: SocketAddress, suppressed: Int)
  /// New connections use a certificate that was read again; it expires then, in seconds since 1970.
  case certificateChanged(expiry: Int64)
  /// A changed certificate, or its key, cannot be used; the one from before still is. An alarm.
  case certificateRejected(TLSError)
  /// No descriptors or memory for more connections: a loop accepts none for a moment. New ones wait in the kernel.
  case acceptPaused(SystemError)
  /// The file of what waits for slow readers cannot be written or read: responses are broken off, or their workers wait
  /// for their clients. At most one in five seconds for writing.
  case spoolFailed(SystemError)
  /// A loop has failed and no longer serves: a defect, or a kernel out of resources.
  case loopFailed(SystemError)
  /// All connections are closed, `cut` of them at the deadline and with work in progress.
  case stopped(cut: Int)
}

/// Which limit of connections was met.
public enum ConnectionLimit: Sendable, Hashable {
  /// `Limits.connections`.
  case total
  /// `Limits.connectionsPerAddress`.
  case perAddress
}
