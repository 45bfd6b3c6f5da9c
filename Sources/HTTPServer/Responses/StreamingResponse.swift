import HTTP
import Threading
import Sockets

/// A response that a worker makes in pieces. The loop takes them as fast as the client reads.
///
/// What the client has not read waits in memory, and behind that in the spool's file, so that the worker goes on to
/// the end and is free. Only where the spool has no more room does the worker wait for the client; then it gives up
/// when others need its thread (StreamingAnswer+Room.swift).
final class StreamingResponse: PendingResponse {
  /// Bytes that wait in memory. A longer piece goes alone.
  static let capacity = 256 * 1024
  /// How long a worker waits for a client that reads, before it writes to the file.
  static let grace = Duration.milliseconds(20)

  /// Some of the response in the file.
  struct Stored: Sendable {
    let block: Int
    var offset = 0
    var count: Int
  }

  struct State: Sendable {
    /// In the order in which they are sent: what is in memory, what was read from the file, what is in the file, and
    /// what is to be written there.
    var steps: [ResponseStep] = []
    var firstStep = 0
    var read: [UInt8]?
    var stored: [Stored] = []
    var firstStored = 0
    var tail: [UInt8] = []
    /// How it ends, behind all of that.
    var ending: ResponseStep?

    /// Bytes of `steps`.
    var bytes = 0
    var isReading = false
    /// Some bytes that were in front of `tail` are being written.
    var isWriting = false
    var entry: Spool.Entry?
    var hasStarted = false
    var hasBegun = false
    /// The loop has the head.
    var isHeadTaken = false
    var isAwaited = false
    /// The client is gone, or too slow: nothing more is made, and nothing is kept.
    var isOver = false
    var isCut = false
    /// Steps that the loop has taken.
    var taken = 0
    /// How long the worker has waited for the client while others needed its thread.
    var waited = Duration.zero

    /// Whether what comes next belongs behind bytes that are, or go, in the file.
    var isSpilling: Bool { read != nil || firstStored < stored.count || !tail.isEmpty || isWriting }

    /// Whether the loop waits for what is new.
    mutating func takeAwaited() -> Bool {
      defer { isAwaited = false }
      return isAwaited
    }
  }

  let isEndless = false
  let network: ClientNetwork
  let spool: Spool
  let pool: WorkerPool
  let state = Monitor(State())
  private let work: @Sendable (ResponseStream) throws(StreamBroken) -> Void
  private let update: ResponseUpdate
  private let ticket = Lock<JobQueue.Ticket?>(nil)

  init(
    _ work: @escaping @Sendable (ResponseStream) throws(StreamBroken) -> Void,
    for network: ClientNetwork,
    _ settings: ServerSettings,
    update: ResponseUpdate
  ) {
    self.work = work
    self.network = network
    self.update = update
    spool = settings.spool
    pool = settings.streamers
  }

  /// Waits for a worker; false if too many do already.
  func submit() -> Bool {
    let ticket = pool.submit(of: network, drop: { [self] in refuse(.tooManyWait) }) { [self] in run() }
    self.ticket.withLock { $0 = ticket }
    return ticket != nil
  }

  /// Runs on a worker; not for a client that has gone.
  private func run() {
    guard spool.admits(network) else { return refuse(.tooMuchToRead) }
    let entry = spool.open(for: network) { [self] in cut() }
    let isWanted = state.change { state in
      guard !state.isOver else { return false }
      state.hasStarted = true
      state.entry = entry
      return true
    }
    guard isWanted else { return spool.close(entry, blocks: []) }
    var isWhole = true
    do throws(StreamBroken) {
      try work(ResponseStream { [self] (part) throws(StreamBroken) in try send(part) })
      try storeRest()
    } catch {
      isWhole = false
    }
    let isAwaited = state.change { state in
      guard !state.isOver else { return false }
      if !isWhole { state.tail = [] }
      state.ending = state.hasBegun && isWhole ? .end : .broken
      return state.takeAwaited()
    }
    if isAwaited { post() }
  }

  func post() { update.post() }

  // MARK: The loop's side

  var isQueued: Bool { state.withLock { !$0.hasStarted && !$0.isOver } }
  var isCut: Bool { state.withLock { $0.isCut } }

  func next(atMost limit: Int) -> ResponseStep {
    let (step, released) = state.change { state -> (ResponseStep, Int) in
      state.taken += 1
      if state.firstStep < state.steps.count { return state.takeStep(atMost: limit) }
      if let bytes = state.read {
        state.read = nil
        return (.piece(bytes), 0)
      }
      if state.firstStored == state.stored.count, !state.isWriting {
        if !state.tail.isEmpty { return (.piece(state.takeTail(atMost: min(limit, Spool.blockSize))), 0) }
        if let ending = state.ending { return (ending, 0) }
      }
      state.taken -= 1
      state.isAwaited = true
      return (.later, 0)
    }
    if released > 0, let entry = state.withLock({ $0.entry }) { spool.release(memory: released, of: entry) }
    if case .later = step { read(atMost: limit) }
    return step
  }

  /// Has the next bytes read from the file, if there are some.
  private func read(atMost limit: Int) {
    let next = state.withLock { state -> (Stored, Spool.Entry)? in
      guard !state.isReading, state.firstStored < state.stored.count, let entry = state.entry else {
        return nil
      }
      state.isReading = true
      return (state.stored[state.firstStored], entry)
    }
    guard let (stored, entry) = next else { return }
    let count = min(stored.count, limit)
    spool.read(count, at: stored.offset, of: stored.block, entry) { [self] bytes in
      guard let bytes else { return cut() }
      let (free, isAwaited) = state.change { state -> (Int?, Bool) in
        state.isReading = false
        guard !state.isOver else { return (nil, false) }
        state.read = bytes
        return (state.dropStored(count), state.takeAwaited())
      }
      if let free { spool.release(block: free, of: entry) }
      if isAwaited { post() }
    }
  }

  func cancel() {
    if let ticket = ticket.withLock({ $0 }) { pool.remove(ticket) }
    _ = end(with: nil)
  }

  func finish() {}

  /// Instead of being made; on any thread.
  private func refuse(_ error: ProtocolError) {
    if end(with: error) { post() }
  }

  /// Ends the response for good: its client reads too slowly for the room, or the thread, that others need. A
  /// connection is broken then, so that no cut response looks whole.
  func cut() {
    guard end(with: .tooMuchToRead) else { return }
    spool.recordCut()
    post()
  }

  /// Gives everything back; false if that was done before.
  private func end(with error: ProtocolError?) -> Bool {
    let held = state.change { state -> (entry: Spool.Entry?, blocks: [Int])? in
      guard !state.isOver else { return nil }
      var over = State(isOver: true)
      over.isCut = error != nil && state.isHeadTaken
      over.ending = state.isHeadTaken ? .broken : error.map { .refused($0) }
      over.hasStarted = state.hasStarted
      over.hasBegun = state.hasBegun
      defer { state = over }
      return (state.entry, state.stored[state.firstStored...].map(\.block))
    }
    guard let held else { return false }
    if let entry = held.entry { spool.close(entry, blocks: held.blocks) }
    return true
  }
}

extension StreamingResponse.State {
  /// The next step in memory, and how much of it was counted.
  mutating func takeStep(atMost limit: Int) -> (ResponseStep, Int) {
    let step = steps[firstStep]
    var count = 0
    if case .piece(let piece) = step {
      count = min(limit, piece.count)
      if count < piece.count {
        steps[firstStep] = .piece(Array(piece[count...]))
        bytes -= count
        return (.piece(Array(piece[..<count])), count)
      }
    } else {
      isHeadTaken = true
    }
    // Its bytes are the loop's now. A client that reads steadily never lets the list run empty.
    steps[firstStep] = .later
    firstStep += 1
    if firstStep == steps.count || firstStep >= 64 {
      steps.removeSubrange(..<firstStep)
      firstStep = 0
    }
    bytes -= count
    return (step, count)
  }

  fileprivate mutating func takeTail(atMost limit: Int) -> [UInt8] {
    guard tail.count > limit else {
      defer { tail = [] }
      return tail
    }
    defer { tail = Array(tail[limit...]) }
    return Array(tail[..<limit])
  }

  /// So many bytes of the file were read; the block that has no more.
  fileprivate mutating func dropStored(_ count: Int) -> Int? {
    stored[firstStored].offset += count
    stored[firstStored].count -= count
    guard stored[firstStored].count == 0 else { return nil }
    let block = stored[firstStored].block
    firstStored += 1
    if firstStored == stored.count || firstStored >= 256 {
      stored.removeSubrange(..<firstStored)
      firstStored = 0
    }
    return block
  }
}

extension ProtocolError {
  /// The queue is full, or another client's request took the place in it.
  static let tooManyWait = ProtocolError(.serviceUnavailable, "too many requests wait for an answer")
  /// The client's network has its share of what is kept for slow readers.
  static let tooMuchToRead = ProtocolError(
    .serviceUnavailable,
    "too much of earlier answers has not been read; read it, then try again"
  )
}
