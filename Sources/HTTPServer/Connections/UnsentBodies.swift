import HTTP
import Threading

/// What clients have still to read of large bodies, all connections together. A body that many are sent is kept once,
/// and counts once.
final class UnsentBodies: Sendable {
  private struct State: Sendable {
    var bytes = 0
    /// The reference count of each body, by the address of its bytes: a reference keeps them there.
    var claims: [UInt: Int] = [:]
  }

  /// A body from this size on is large: it is sent from where it is instead of being copied behind its head. Smaller
  /// ones are bounded by what one connection may have on its way.
  static let least = 32 * 1024

  private let limit: Int
  private let state = Lock(State())

  init(limit: Int) {
    self.limit = limit
  }

  /// In bytes.
  var total: Int { state.withLock { $0.bytes } }

  /// What a client may be sent of a large body, for as long as it is kept for it; nil: all of them have too much to
  /// read. One body alone is never too much.
  func claim(_ body: [UInt8]) -> UnsentBody? {
    let place = UnsentBody.place(of: body)
    let isAdmitted = state.withLock { state in
      guard let count = state.claims[place] else {
        guard state.bytes == 0 || body.count <= limit - state.bytes else { return false }
        state.bytes += body.count
        state.claims[place] = 1
        return true
      }
      state.claims[place] = count + 1
      return true
    }
    return isAdmitted ? UnsentBody(body, in: self) : nil
  }

  fileprivate func release(_ body: [UInt8]) {
    let place = UnsentBody.place(of: body)
    state.withLock { state in
      let count = state.claims[place] ?? 0
      state.claims[place] = count > 1 ? count - 1 : nil
      if count <= 1 { state.bytes -= body.count }
    }
  }
}

/// A large body that is kept for a client until it is sent or given up.
final class UnsentBody {
  private let body: [UInt8]
  private let bodies: UnsentBodies

  fileprivate init(_ body: [UInt8], in bodies: UnsentBodies) {
    self.body = body
    self.bodies = bodies
  }

  deinit { bodies.release(body) }

  fileprivate static func place(of body: [UInt8]) -> UInt {
    body.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
  }
}

extension ProtocolError {
  /// Large responses wait for their clients, and there is no room for one more.
  static let tooMuchUnsent = ProtocolError(
    .serviceUnavailable,
    "other clients have too much still to read; try again"
  )
}
