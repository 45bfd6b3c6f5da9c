public import Locks

/// What a connection knows of the cameras' rows: which there are, and what it has noted but not yet added to them.
///
/// Cameras are named by messages, and anybody who can send messages can invent them: at most `limit` get a row, the
/// others are counted together.
public struct CameraLedger: Sendable {
  /// How many cameras get a row of their own, if nobody says otherwise: some 20 MB.
  public static let defaultLimit = 100_000
  /// How many unknown cameras a batch looks up when the table is known to be full.
  static let lookupsWhenFull = 1_000
  /// How many batches believe that the table is full before one looks again.
  static let batchesWhenFull = 256
  /// How many batches are noted before the rows are updated, even if they come fast.
  static let changesAtMost = 1_000
  /// How many rows are updated by one statement: a bound of the memory that its arguments take.
  static let rowsAtOnce = 10_000

  let limit: Int
  /// From one update of the rows to the next.
  private let interval: Duration
  private let now: @Sendable () -> MonotonicInstant
  var admitted: Set<CameraKey> = []
  /// While it is above zero, there is no room.
  var fullForBatches = 0
  /// The rows of `camera_change` that this connection has committed, and their sum, but for what `settled` holds of it.
  private(set) var changes: [Int64] = []
  private(set) var pending = CameraTallies(limit: .max)
  /// Committed, and to be merged into the sum while the server is busy.
  private var settled: [CameraNote.Entry] = []
  private var updatedAt: MonotonicInstant
  private var staged: Staged?
  /// Where among the results of the transaction's last statements the id of the row of `camera_change` is.
  private(set) var noteIndex: Int?

  /// What becomes true of the ledger when the transaction is committed.
  enum Staged {
    /// A batch's tallies are in a row of `camera_change`.
    case change([CameraNote.Entry])
    /// They, and all that was pending, are in the cameras' rows.
    case update
    /// The same as `change`, but somebody else has added what was pending.
    case anew([CameraNote.Entry])
  }

  /// Nothing is known yet.
  /// - Parameters:
  ///   - limit: how many cameras get a row of their own.
  ///   - interval: how often the rows are updated; zero for each time.
  ///   - now: the clock.
  public init(
    limit: Int = defaultLimit,
    interval: Duration = .seconds(10),
    now: @escaping @Sendable () -> MonotonicInstant = MonotonicInstant.now
  ) {
    self.limit = limit
    self.interval = interval
    self.now = now
    updatedAt = now()
  }

  /// Forgets all: the database may be another one. What was pending is in `camera_change`.
  public mutating func removeAll() {
    self = CameraLedger(limit: limit, interval: interval, now: now)
  }

  /// Whether the rows are to be updated with this batch.
  var isDue: Bool { changes.count >= Self.changesAtMost || now().elapsed(since: updatedAt) >= interval }

  /// Lets the next batch update the rows.
  public mutating func makeDue() { updatedAt = .distantPast }

  mutating func stage(_ staged: Staged, answeredAt index: Int? = nil) {
    self.staged = staged
    noteIndex = index
  }

  /// The transaction is rolled back.
  mutating func unstage() {
    staged = nil
    noteIndex = nil
  }

  /// The transaction is committed.
  /// - Parameter change: the id of the batch's row of `camera_change`, if it has one.
  mutating func settle(change id: Int64?) {
    defer { unstage() }
    switch staged {
    case nil: return
    case .change(let tallies):
      note(id, tallies)
    case .update:
      forgetPending()
    case .anew(let tallies):
      forgetPending()
      note(id, tallies)
    }
  }

  private mutating func note(_ id: Int64?, _ tallies: [CameraNote.Entry]) {
    guard let id else { return }
    mergeSettled()
    changes.append(id)
    settled = tallies
  }

  /// Adds what the last batch noted to the sum. It takes milliseconds where there are many cameras, so it is called
  /// while the server has something else to do.
  mutating func mergeSettled() {
    for (key, tally) in settled { pending.add(tally, of: key) }
    settled.removeAll()
  }

  private mutating func forgetPending() {
    settled.removeAll()
    changes.removeAll(keepingCapacity: true)
    pending = CameraTallies(limit: .max)
    updatedAt = now()
  }
}
