import Glibc
public import Threading

/// A system call that failed.
public struct SystemError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The call, and what it was about: `bind 127.0.0.1:8080`.
  public let call: String
  /// The value of `errno`.
  public let code: Int32

  /// An error of a call that set `errno` to `code`.
  public init(call: String, code: Int32) {
    self.call = call
    self.code = code
  }

  /// `bind 127.0.0.1:8080: Address already in use (98)`.
  public var description: String {
    var buffer = [CChar](repeating: 0, count: 256)
    // The XSI strerror_r: glibc's own is hidden without _GNU_SOURCE. It writes into the buffer.
    _ = strerror_r(code, &buffer, buffer.count)
    let end = buffer.firstIndex(of: 0) ?? buffer.endIndex
    return
      "\(call): \(String(decoding: buffer[..<end].map(UInt8.init(bitPattern:)), as: UTF8.self)) (\(code))"
  }

  /// The failure of a thread to start.
  public init(_ error: ThreadError) {
    self.init(call: "pthread_create", code: error.code)
  }
}

/// The one place that decides about `errno`: an interrupted call is made again; EBADF and EFAULT, which only our own
/// mistakes cause, trap; the rest is for the caller.
@inline(__always)
func call<Number: SignedInteger>(_ name: @autoclosure () -> String, _ body: () -> Number) throws(SystemError)
  -> Number
{
  while true {
    let result = body()
    if result >= 0 { return result }
    let code = errno
    if code == EINTR { continue }
    precondition(code != EBADF && code != EFAULT, "a bad descriptor or address was passed to the system")
    throw SystemError(call: name(), code: code)
  }
}
