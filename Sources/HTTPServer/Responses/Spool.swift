import HTTP
import Threading
import Sockets

/// What streamed responses keep for clients that read more slowly than the responses are made: in memory, then in
/// blocks of one file without a name. Both are bounded over all clients.
///
/// One network may have all of it as long as no other needs it. When there is no more room, the largest response of the
/// network that has the most makes room for one of a network that has less than half of that.
final class Spool: Sendable {
  /// Bytes of a block in the file.
  static let blockSize = 64 * 1024
  /// Unread bytes of one network from which on it is behind.
  static let behind = 1 << 20

  /// A response, by its number.
  struct Entry: Hashable, Sendable {
    fileprivate let number: UInt64
    fileprivate let network: ClientNetwork
  }

  fileprivate struct Holding {
    var memory = 0
    var blocks = 0
    /// Ends the response, and gives back what it has. Called without the lock.
    let cut: @Sendable () -> Void

    var bytes: Int { memory + blocks * Spool.blockSize }
  }

  fileprivate struct State {
    var memory = 0
    var blocks = 0
    /// Blocks of the file that were used before.
    var free: [Int] = []
    /// Blocks that the file has.
    var length = 0
    var isEmptying = false
    /// Nothing is written to the file until then.
    var restsUntil = Instant(nanoseconds: 0)
    var lastNumber: UInt64 = 0
    var holdings: [Entry: Holding] = [:]
    var bytes: [ClientNetwork: Int] = [:]
    var cut = 0
  }

  private let memoryLimit: Int
  private let blockLimit: Int
  private let folder: String?
  private let observe: @Sendable (ServerObservation) -> Void
  private let file = Lock<UnlinkedFile?>(nil)
  private let state = Lock(State())
  /// Reads blocks, as an event loop does not wait for a disk.
  private let reader = WorkerPool(capacity: .max, threads: 1)

  init(_ limits: Limits, observe: @escaping @Sendable (ServerObservation) -> Void = { _ in }) {
    memoryLimit = limits.spoolMemory
    folder = limits.spoolFolder
    blockLimit = limits.spoolFolder == nil ? 0 : limits.spoolDisk / Spool.blockSize
    self.observe = observe
  }

  /// Makes the file, and starts the thread that reads it.
  func start() throws(SystemError) {
    guard blockLimit > 0, let folder else { return }
    let made = try UnlinkedFile(in: folder)
    file.withLock { $0 = made }
    try reader.start("http-spool")
  }

  func close() { reader.close() }

  var hasFile: Bool { blockLimit > 0 }

  /// What is kept: bytes in memory and in the file, responses that have some of them in the file, and responses that
  /// were ended so far because their clients were too slow for the room, or the threads, that others needed.
  var load: (memory: Int, disk: Int, answers: Int, cut: Int) {
    state.withLock { state in
      let answers = state.holdings.values.count { $0.blocks > 0 }
      return (state.memory, state.blocks * Spool.blockSize, answers, state.cut)
    }
  }

  // MARK: Shares

  /// Whether a network has much to read before its next responses are made as soon as those of others.
  func isBehind(_ network: ClientNetwork) -> Bool {
    state.withLock { $0.bytes[network, default: 0] > Spool.behind }
  }

  /// Whether another response of a network may be begun: it has no more than what is still free.
  func admits(_ network: ClientNetwork) -> Bool {
    state.withLock { state in
      let own = state.bytes[network, default: 0]
      return own == 0 || own <= memoryLimit - state.memory + (blockLimit - state.blocks) * Spool.blockSize
    }
  }

  /// Begins to keep something of a response.
  ///
  /// - Parameter cut: ends the response, and gives back what it has.
  func open(for network: ClientNetwork, cut: @escaping @Sendable () -> Void) -> Entry {
    state.withLock { state in
      state.lastNumber += 1
      let entry = Entry(number: state.lastNumber, network: network)
      state.holdings[entry] = Holding(cut: cut)
      return entry
    }
  }

  /// Nothing more is kept of the response; what it has in memory and in these blocks is free.
  func close(_ entry: Entry, blocks: [Int]) {
    let isLast = state.withLock { state in
      guard let holding = state.holdings.removeValue(forKey: entry) else { return false }
      state.memory -= holding.memory
      state.count(-holding.memory - blocks.count * Spool.blockSize, of: entry.network)
      return state.giveBack(blocks)
    }
    if isLast { empty() }
  }

  func recordCut() { state.withLock { $0.cut += 1 } }

  // MARK: Memory

  /// Whether there is room for so many bytes in memory; they are counted then.
  func claim(_ bytes: Int, for entry: Entry) -> Bool {
    state.withLock { state in
      guard bytes <= memoryLimit - state.memory, state.holdings[entry] != nil else { return false }
      state.memory += bytes
      state.holdings[entry]?.memory += bytes
      state.count(bytes, of: entry.network)
      return true
    }
  }

  func release(memory bytes: Int, of entry: Entry) {
    state.withLock { state in
      guard state.holdings[entry] != nil else { return }
      state.memory -= bytes
      state.holdings[entry]?.memory -= bytes
      state.count(-bytes, of: entry.network)
    }
  }

  // MARK: The file

  /// A free block, if need be one of the response that has the most; nil while there is no room.
  func takeBlock(for entry: Entry) -> Int? {
    while true {
      let (block, largest) = state.withLock { state in
        guard state.holdings[entry] != nil else { return (nil as Int?, nil as Entry?) }
        if let block = state.takeBlock(limit: blockLimit, for: entry) { return (block, nil) }
        return (nil, state.largest(besides: entry))
      }
      guard block == nil, let largest else { return block }
      // Its room is free when this returns, so that the next round finds it, or another response to cut.
      state.withLock { $0.holdings[largest]?.cut }?()
    }
  }

  func release(block: Int, of entry: Entry) {
    let isLast = state.withLock { state in
      state.holdings[entry]?.blocks -= 1
      state.count(-Spool.blockSize, of: entry.network)
      return state.giveBack([block])
    }
    if isLast { empty() }
  }

  /// - Throws: when the disk does; then nothing is written for a while, as if there were no room.
  func write(_ bytes: [UInt8], to block: Int) throws(SystemError) {
    guard let file = file.withLock({ $0 }) else { throw SystemError(call: "write a file", code: 0) }
    do throws(SystemError) {
      try file.write(bytes, at: block * Spool.blockSize)
    } catch {
      state.withLock { $0.restsUntil = .now() + .seconds(5) }
      observe(.spoolFailed(error))
      throw error
    }
  }

  /// Reads some of a block on a thread of its own; nil is given when the disk fails.
  func read(
    _ count: Int,
    at offset: Int,
    of block: Int,
    _ entry: Entry,
    _ take: @escaping @Sendable ([UInt8]?) -> Void
  ) {
    _ = reader.submit(of: entry.network) { [self] in
      // Given up meanwhile: its blocks may be another response's, or gone.
      guard state.withLock({ $0.holdings[entry] != nil }) else { return }
      do throws(SystemError) {
        take(try file.withLock { $0 }?.read(count, at: block * Spool.blockSize + offset))
      } catch {
        observe(.spoolFailed(error))
        take(nil)
      }
    }
  }

  /// Gives the file's room back, unless it is used again by then.
  private func empty() {
    _ = reader.submit(of: nil) { [self] in
      let isEmpty = state.withLock { state in
        guard state.blocks == 0, state.length > 0 else { return false }
        state.isEmptying = true
        return true
      }
      guard isEmpty else { return }
      do throws(SystemError) {
        try file.withLock { $0 }?.empty()
      } catch {
        observe(.spoolFailed(error))
      }
      state.withLock { state in
        state.isEmptying = false
        (state.free, state.length) = ([], 0)
      }
    }
  }
}

extension Spool.State {
  fileprivate mutating func count(_ change: Int, of network: ClientNetwork) {
    let sum = bytes[network, default: 0] + change
    bytes[network] = sum == 0 ? nil : sum
  }

  fileprivate mutating func takeBlock(limit: Int, for entry: Spool.Entry) -> Int? {
    guard holdings[entry] != nil, blocks < limit, !isEmptying, restsUntil <= .now() else { return nil }
    var block = length
    if let used = free.popLast() { block = used } else { length += 1 }
    blocks += 1
    holdings[entry]?.blocks += 1
    count(Spool.blockSize, of: entry.network)
    return block
  }

  /// Whether the file has nothing in use then, but did have.
  fileprivate mutating func giveBack(_ blocks: [Int]) -> Bool {
    free += blocks
    self.blocks -= blocks.count
    return self.blocks == 0 && !blocks.isEmpty
  }

  /// The response that is cut to make room.
  fileprivate func largest(besides entry: Spool.Entry) -> Spool.Entry? {
    // Without a file, or with one that fails, memory is no use: nothing waits for it.
    guard !isEmptying, restsUntil <= .now(), let most = bytes.max(by: { $0.value < $1.value }) else {
      return nil
    }
    let own = bytes[entry.network, default: 0] + Spool.blockSize
    guard most.value > 2 * own else { return nil }
    return holdings.filter { $0.key.network == most.key && $0.value.blocks > 0 }
      .max { $0.value.bytes < $1.value.bytes }?.key
  }
}
