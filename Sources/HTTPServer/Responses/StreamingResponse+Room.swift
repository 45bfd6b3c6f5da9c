import HTTP
import Threading
import Sockets

/// The worker's side: where the pieces go, and how long it waits when there is no room for them.
extension StreamingResponse {
  private enum Kept {
    case inMemory(isAwaited: Bool)
    case noRoom
    case over
  }

  /// Between two looks whether others need the thread.
  private static let look = Duration.milliseconds(5)
  /// How long a client may read nothing, and how long one may be waited for in all, while others need the thread.
  private static let pause = Duration.milliseconds(50)
  private static let longestWait = Duration.seconds(1)

  func send(_ part: ResponseStream.Part) throws(StreamBroken) {
    switch part {
    case .head(let response):
      let isAwaited = state.change { state -> Bool? in
        guard !state.isOver else { return nil }
        precondition(!state.hasBegun, "a stream begins once")
        state.hasBegun = true
        state.steps.append(.head(response, heartbeat: nil))
        return state.takeAwaited()
      }
      try record(isAwaited)
    case .piece(let piece):
      precondition(state.withLock { $0.hasBegun || $0.isOver }, "a stream begins before its first piece")
      if try isKept(piece) { return }
      let isAwaited = state.change { state -> Bool? in
        guard !state.isOver else { return nil }
        state.tail += piece
        return state.takeAwaited()
      }
      try record(isAwaited)
      while state.withLock({ $0.tail.count >= Spool.blockSize }) { try store(atLeast: Spool.blockSize) }
    }
  }

  /// Stores what has not filled a block. Then nothing is left to do for the worker.
  func storeRest() throws(StreamBroken) {
    while true {
      let isDone = state.change { state -> Bool in
        guard let entry = state.entry, !state.tail.isEmpty else { return true }
        // As small as this it may as well stay in memory, if nothing is in the file before it.
        guard state.read == nil, state.firstStored == state.stored.count,
          spool.claim(state.tail.count, for: entry)
        else { return false }
        state.steps.append(.piece(state.tail))
        state.bytes += state.tail.count
        state.tail = []
        return true
      }
      if isDone { return }
      try store(atLeast: 1)
    }
  }

  private func record(_ isAwaited: Bool?) throws(StreamBroken) {
    guard let isAwaited else { throw .clientGone }
    if isAwaited { post() }
  }

  /// Keeps a piece in memory if it belongs there and there is room, after a moment if need be.
  private func isKept(_ piece: [UInt8]) throws(StreamBroken) -> Bool {
    let end = ContinuousClock.now + StreamingResponse.grace
    while true {
      let kept = state.change { keep(piece, &$0) }
      switch kept {
      case .inMemory(let isAwaited):
        try record(isAwaited)
        return true
      case .over: throw .clientGone
      case .noRoom: break
      }
      let now = ContinuousClock.now
      // Without bytes of its own that are read meanwhile, others have the memory.
      let bytes = state.withLock { $0.isSpilling ? 0 : $0.bytes }
      guard bytes > 0, spool.hasFile, now < end, pool.need(besides: network) == .none else { return false }
      _ = state.wait(until: min(end, now + StreamingResponse.look)) { state in
        state.isOver || state.bytes < bytes ? () : nil
      }
    }
  }

  private func keep(_ piece: [UInt8], _ state: inout State) -> Kept {
    guard !state.isOver, let entry = state.entry else { return .over }
    guard !state.isSpilling, state.bytes == 0 || state.bytes + piece.count <= StreamingResponse.capacity,
      spool.claim(piece.count, for: entry)
    else { return .noRoom }
    state.steps.append(.piece(piece))
    state.bytes += piece.count
    return .inMemory(isAwaited: state.takeAwaited())
  }

  /// Writes one block, as soon as there is room, unless the client takes the bytes before.
  private func store(atLeast least: Int) throws(StreamBroken) {
    guard let (block, entry) = try room(forAtLeast: least) else { return }
    let bytes = state.change { state -> [UInt8]? in
      guard !state.isOver, state.tail.count >= least else { return nil }
      let count = min(state.tail.count, Spool.blockSize)
      state.isWriting = true
      defer { state.tail = Array(state.tail[count...]) }
      return Array(state.tail[..<count])
    }
    guard let bytes else { return spool.release(block: block, of: entry) }
    var isWritten = true
    do throws(SystemError) { try spool.write(bytes, to: block) } catch { isWritten = false }
    let isAwaited = state.change { state -> Bool? in
      state.isWriting = false
      guard !state.isOver else { return nil }
      if isWritten {
        state.stored.append(Stored(block: block, count: bytes.count))
      } else {
        state.tail = bytes + state.tail
      }
      return state.takeAwaited()
    }
    if isAwaited == nil || !isWritten { spool.release(block: block, of: entry) }
    try record(isAwaited)
  }

  /// A block for the bytes that wait, which may take until the client has read; nil: it has taken those bytes
  /// meanwhile.
  ///
  /// While requests of another network need the thread, the wait ends when the client has read nothing for a moment,
  /// and after a second in all. While requests of the same network do, it ends when the client has read nothing for a
  /// second.
  private func room(forAtLeast least: Int) throws(StreamBroken) -> (block: Int, entry: Spool.Entry)? {
    var progress = (taken: -1, at: ContinuousClock.now)
    while true {
      let (entry, count, taken, waited) = state.withLock {
        ($0.isOver ? nil : $0.entry, $0.tail.count, $0.taken, $0.waited)
      }
      guard let entry else { throw .clientGone }
      guard count >= least else { return nil }
      if let block = spool.takeBlock(for: entry) { return (block, entry) }
      let now = ContinuousClock.now
      if taken != progress.taken { progress = (taken, now) }
      let need = pool.need(besides: network)
      let isTooLong =
        switch need {
        case .none: false
        case .sameNetwork: now - progress.at > StreamingResponse.longestWait
        case .others:
          now - progress.at > StreamingResponse.pause || waited > StreamingResponse.longestWait
        }
      if isTooLong, pool.asksToConcede() {
        cut()
        throw .clientGone
      }
      _ = state.wait(until: now + StreamingResponse.look) { $0.isOver || $0.taken != taken ? () : nil }
      if need == .others { state.withLock { $0.waited += ContinuousClock.now - now } }
    }
  }
}
