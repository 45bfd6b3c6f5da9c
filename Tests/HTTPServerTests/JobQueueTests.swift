import Sockets
import Synchronization
import Testing

@testable import HTTPServer

@Suite("jobs that wait for a thread")
struct JobQueueTests {
  /// What ran, and what was dropped, by the letters of the jobs.
  private final class Log: Sendable {
    let text = Mutex("")
    func record(_ letter: String) { text.withLock { $0 += letter } }
    func taken() -> String {
      text.withLock { text in
        defer { text = "" }
        return text
      }
    }
  }

  private let log = Log()

  private func network(_ host: UInt8) throws -> ClientNetwork {
    ClientNetwork(try #require(SocketAddress("10.0.0.\(host):1")))
  }

  /// Whether a job is taken; what it displaces is dropped.
  private func add(_ letter: String, of host: UInt8, to queue: inout JobQueue) throws -> Bool {
    let added = queue.add(job(letter), of: try network(host))
    added?.displaced?.drop?()
    return added != nil
  }

  private func job(_ letter: String) -> JobQueue.Job {
    JobQueue.Job(run: { [log] in log.record(letter) }, drop: { [log] in log.record("-\(letter)") })
  }

  /// Runs all that may, one after another.
  private func run(_ queue: inout JobQueue) -> String {
    while let (job, turn) = queue.next() {
      job.run()
      queue.finish(turn)
    }
    return log.taken()
  }

  @Test("have turns by network, each network's in their order, and a network that asks rarely goes first")
  func turns() throws {
    var queue = JobQueue(capacity: 100, threads: 1)
    for letter in ["a", "b", "c", "d"] { _ = queue.add(job(letter), of: try network(1)) }
    for letter in ["A", "B"] { _ = queue.add(job(letter), of: try network(2)) }
    let first = queue.next()
    first?.job.run()
    _ = queue.add(job("*"), of: try network(3))
    if let turn = first?.turn { queue.finish(turn) }
    #expect(run(&queue) == "aA*bBcd")
    #expect(queue.waiting == 0 && queue.running == 0)
  }

  @Test("are given first to the network that has the fewest running")
  func running() throws {
    var queue = JobQueue(capacity: 100, threads: 3)
    for letter in ["a", "b", "c"] { _ = queue.add(job(letter), of: try network(1)) }
    _ = queue.next()
    _ = queue.next()
    _ = queue.add(job("A"), of: try network(2))
    queue.next()?.job.run()
    #expect(log.taken() == "A")
  }

  @Test("of one network have no more than its share of the threads")
  func share() throws {
    var queue = JobQueue(capacity: 100, threads: 4, share: 3)
    for letter in ["a", "b", "c", "d"] { _ = queue.add(job(letter), of: try network(1)) }
    let turns = (0..<3).compactMap { _ in queue.next()?.turn }
    var next = queue.next()
    #expect(turns.count == 3 && next == nil && queue.waiting == 1)
    _ = queue.add(job("A"), of: try network(2))
    next = queue.next()
    #expect(next != nil)
    queue.finish(turns[0])
    next = queue.next()
    #expect(next != nil)
  }

  @Test("of networks that are behind with reading come last, on a quarter of the threads")
  func behind() throws {
    let slow = try network(1)
    var queue = JobQueue(capacity: 100, threads: 4) { $0 == slow }
    for letter in ["a", "b"] { _ = queue.add(job(letter), of: slow) }
    for letter in ["A", "B"] { _ = queue.add(job(letter), of: try network(2)) }
    while let next = queue.next() { next.job.run() }
    #expect(log.taken() == "ABa" && queue.waiting == 1)
  }

  @Test("make room in a full queue for a network that has fewer of them, the newest first")
  func displaced() throws {
    var queue = JobQueue(capacity: 3, threads: 1)
    var taken: [Bool] = []
    for (letter, host) in [("a", 1), ("b", 1), ("c", 1), ("d", 1), ("A", 2), ("B", 2)] as [(String, UInt8)] {
      taken.append(try add(letter, of: host, to: &queue))
    }
    // One network may have the whole queue; two and one are as fair as it gets.
    #expect(taken == [true, true, true, false, true, false])
    #expect(log.taken() == "-c" && queue.waiting == 3)
    #expect(run(&queue) == "aAb")
  }

  @Test("that cannot be displaced leave half of the queue to others")
  func undroppable() throws {
    var queue = JobQueue(capacity: 4, threads: 1)
    let job = JobQueue.Job(run: {}, drop: nil)
    var taken: [Bool] = []
    for host in [1, 1, 1, 1, 2] as [UInt8] { taken.append(queue.add(job, of: try network(host)) != nil) }
    taken.append(queue.add(job, of: nil) != nil)
    #expect(taken == [true, true, false, false, true, true])
  }

  @Test("are taken back when their clients have gone")
  func removed() throws {
    var queue = JobQueue(capacity: 10, threads: 1)
    var tickets: [JobQueue.Ticket] = []
    for letter in ["a", "b", "c"] {
      let added = queue.add(job(letter), of: try network(1))
      tickets.append(try #require(added).ticket)
    }
    var removed = [queue.remove(tickets[1]), queue.remove(tickets[1])]
    let ran = run(&queue)
    removed.append(queue.remove(tickets[0]))
    #expect(removed == [true, false, false] && ran == "ac")
  }

  @Test("take another job's thread when all are busy, unless they may not run or are behind")
  func need() throws {
    let (own, slow) = (try network(1), try network(3))
    var queue = JobQueue(capacity: 10, threads: 2, share: 2) { $0 == slow }
    _ = queue.add(job("a"), of: try network(1))
    _ = queue.add(job("b"), of: try network(1))
    _ = queue.next()
    #expect(queue.need(besides: own) == .none, "a thread is free")
    _ = queue.next()
    #expect(queue.need(besides: own) == .none)
    _ = queue.add(job("s"), of: slow)
    #expect(queue.need(besides: own) == .none)
    _ = queue.add(job("c"), of: try network(1))
    #expect(queue.need(besides: own) == .none, "it has its share")
    _ = queue.add(job("A"), of: try network(2))
    #expect(queue.need(besides: own) == .others)
  }
}
