import Foundation
import Threading
import Postgres
import Synchronization

/// Looks at a database again and again while workers write to it: I3 (never back, never more than is detected) and
/// I4 (offsets and epochs only grow), each look in one snapshot.
///
/// It ends with ``stop()``, and with its last reference: a test that fails before its end leaves no thread behind that
/// goes on connecting to a database that is no more.
public final class InvariantWatch: Sendable {
  private let looker: Looker
  private let thread: Background<Bool>

  /// Starts to watch.
  /// - Parameter interval: seconds between two looks, each of which adds up all counts.
  public init(url: String, interval: Double = 0.003) {
    let looker = Looker(url: url, interval: interval)
    self.looker = looker
    thread = Background { looker.watch() }
  }

  deinit { looker.isStopping.set() }

  /// Ends the watch.
  /// - Returns: what was wrong.
  public func stop() throws -> [String] {
    looker.isStopping.set()
    _ = try thread.value(within: 30)
    return looker.violations
  }
}

/// What the thread of a watch knows.
private final class Looker: Sendable {
  let isStopping = Flag()
  private let url: String
  private let interval: Double
  private let found = Lock<[String]>([])
  private let looks = Atomic<Int>(0)

  private struct Position {
    var next: Int64
    var epoch: Int64
    var fates: Int64
  }

  init(url: String, interval: Double) {
    self.url = url
    self.interval = interval
  }

  var violations: [String] {
    let violations = found.withLock { $0 }
    return looks.load(ordering: .relaxed) > 0 ? violations : violations + ["nothing was ever looked at"]
  }

  private func report(_ line: String) {
    found.withLock { if $0.count < 20 { $0.append(line) } }
  }

  func watch() -> Bool {
    var connection: Connection?
    var positions: [String: Position] = [:]
    var lastSum: Int64 = 0
    while !isStopping.isSet {
      do {
        let open = try connection ?? Connection(ConnectionOptions(url: url))
        connection = open
        try look(open, &positions, &lastSum)
        looks.add(1, ordering: .relaxed)
      } catch {
        // The database may be away: that is what some tests are about.
        connection?.close()
        connection = nil
        // Its password's hash makes a connect cost milliseconds of two processors.
        Thread.sleep(forTimeInterval: 0.05)
      }
      Thread.sleep(forTimeInterval: interval)
    }
    return true
  }

  private func look(_ connection: Connection, _ positions: inout [String: Position], _ lastSum: inout Int64)
    throws(PostgresError)
  {
    let result = try connection.execute(
      """
      SELECT topic || '[' || partition || ']', next_offset, epoch,
             \(unescaped: Invariants.fates),
             (SELECT coalesce(sum(item_count), 0)::bigint FROM window_count),
             (SELECT counted FROM fate_total)
      FROM ingest_offset
      """
    )
    for row in 0..<result.count {
      let name = try result.string(row, 0)
      let now = Position(
        next: try result.int64(row, 1),
        epoch: try result.int64(row, 2),
        fates: try result.int64(row, 3)
      )
      if let before = positions[name] {
        if now.next < before.next { report("I4: \(name) went back from \(before.next) to \(now.next)") }
        if now.epoch < before.epoch {
          report("I4: the epoch of \(name) went back from \(before.epoch) to \(now.epoch)")
        }
        if now.fates < before.fates {
          report("I5: \(name) had \(before.fates) fates, now \(now.fates)")
        }
      }
      positions[name] = now
    }
    guard result.count > 0 else { return }
    let (sum, fates) = (try result.int64(0, 4), try result.int64(0, 5))
    if sum < lastSum { report("I3: the counts went back from \(lastSum) to \(sum)") }
    if sum != fates { report("I1: the counts add up to \(sum), the fates say \(fates)") }
    lastSum = sum
  }
}
