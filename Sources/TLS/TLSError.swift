import COpenSSL
import Glibc

/// Why there is no TLS, or no more of it. No case carries a secret, nor bytes that a peer has sent.
public enum TLSError: Error, Sendable, Hashable {
  /// A file of `TLSFiles` cannot be used.
  case file(String, reason: String)
  /// The key is not the one that the certificate was made for.
  case keyMismatch(certificate: String, key: String)
  /// The other side speaks HTTP without TLS.
  case plainHTTP
  /// The handshake failed, or the other side broke the protocol later.
  case protocolViolation(String)
  /// OpenSSL cannot do what it is asked for on this system.
  case library(String)
}

extension TLSError: CustomStringConvertible {
  /// One sentence for a log.
  public var description: String {
    switch self {
    case .file(let path, let reason): "\(path): \(reason)"
    case .keyMismatch(let certificate, let key):
      "the key in \(key) does not belong to the certificate in \(certificate)"
    case .plainHTTP: "plain HTTP where TLS is spoken"
    case .protocolViolation(let reason): "TLS: \(reason)"
    case .library(let reason): "OpenSSL: \(reason)"
    }
  }
}

/// OpenSSL's queue of errors, which each thread has. It is emptied before each call whose failure is looked at, as an
/// older error would be taken for the new one.
enum ErrorQueue {
  static func clear() { ERR_clear_error() }

  /// The oldest error's code; 0 if there is none.
  static var first: UInt { UInt(ERR_peek_error()) }

  /// Its words: the reason only, as the data that OpenSSL may add can hold a file's contents.
  static var reason: String {
    let code = ERR_peek_error()
    guard code != 0 else { return "no reason given" }
    if let text = ERR_reason_error_string(code) { return String(cString: text) }
    return String(cString: strerror(ERR_GET_REASON(code)))
  }
}
