import Counting
import Testing

@testable import CountStore

@Suite("Freshness")
struct FreshnessTests {
  private static func time(_ seconds: Double) -> Timestamp {
    Timestamp(microseconds: 1_793_607_330_000_000 + Int64(seconds * 1_000_000))
  }

  private static func key(_ partition: Int32) -> PartitionKey {
    PartitionKey(topic: "t", partition: partition)
  }

  /// A worker that was seen a second ago and has counted everything.
  private static func worker(
    _ id: String = "a",
    seen: Double = -1,
    stopped: Double? = nil,
    partitions: [Int32] = [0],
    lag: Int64? = 0,
    behind: Double? = nil
  ) -> WorkerRecord {
    WorkerRecord(
      id: id,
      startedAt: time(-3600),
      seenAt: time(seen),
      stoppedAt: stopped.map(time),
      partitions: partitions.map(key),
      lags: partitions.map { _ in lag },
      lag: lag,
      behindSince: behind.map(time)
    )
  }

  struct Case: CustomTestStringConvertible {
    var name: String
    var workers: [WorkerRecord]
    var lastMessage: Double? = -1
    var freshness: Freshness
    var testDescription: String { name }
  }

  private static let cases = [
    Case(name: "a worker that counts is live", workers: [worker()], freshness: .live),
    Case(
      name: "a worker that wrote its row while the clock was 40 days ahead is not known to run",
      workers: [worker(seen: 40 * 86_400)],
      freshness: .stopped(since: nil)
    ),
    Case(
      name: "the last one that stopped counts, not one that was seen ahead of the clock",
      workers: [worker(seen: -60, stopped: -60), worker("b", seen: 40 * 86_400)],
      freshness: .stopped(since: time(-60))
    ),
    Case(
      name: "it is live while messages wait for less than ten seconds",
      workers: [worker(lag: 9000, behind: -10)],
      freshness: .live
    ),
    Case(
      name: "how long messages wait is judged as of the heartbeat",
      workers: [worker(seen: -14, lag: 9000, behind: -23)],
      freshness: .live
    ),
    Case(
      name: "messages that wait for longer are a delay",
      workers: [worker(lag: 9000, behind: -40)],
      freshness: .delayed(since: time(-40), behind: 9000)
    ),
    Case(
      name: "a lag that is not known is a delay without a number",
      workers: [worker(lag: nil, behind: -20)],
      freshness: .delayed(since: time(-20), behind: nil)
    ),
    Case(
      name: "the delay of one worker is that of all, the messages are summed",
      workers: [
        worker(), worker("b", partitions: [1], lag: 5, behind: -12), worker("c", partitions: [2], lag: 2),
      ],
      freshness: .delayed(since: time(-12), behind: 7)
    ),
    Case(
      name: "nothing for a minute is quiet",
      workers: [worker()],
      lastMessage: -61,
      freshness: .quiet(since: time(-61))
    ),
    Case(name: "nothing for less is live", workers: [worker()], lastMessage: -60, freshness: .live),
    Case(
      name: "before the first message it is quiet since the worker's start",
      workers: [worker()],
      lastMessage: nil,
      freshness: .quiet(since: time(-3600))
    ),
    Case(name: "a silence of fifteen seconds is none", workers: [worker(seen: -15)], freshness: .live),
    Case(
      name: "a longer silence of all is a stop since they were seen last",
      workers: [worker(seen: -16), worker("b", seen: -90)],
      freshness: .stopped(since: time(-16))
    ),
    Case(
      name: "a goodbye of all is a stop at once",
      workers: [worker(seen: -1, stopped: -1), worker("b", seen: -3, stopped: -3)],
      freshness: .stopped(since: time(-1))
    ),
    Case(
      name: "one worker's goodbye does not count while another runs",
      workers: [worker(seen: -1, stopped: -1), worker("b")],
      freshness: .live
    ),
    Case(
      name: "without any worker ever, stopped has no time",
      workers: [],
      freshness: .stopped(since: nil)
    ),
    Case(
      name: "partitions of a dead worker wait until another worker has them",
      workers: [worker(seen: -20, partitions: [1]), worker("b")],
      freshness: .delayed(since: time(-20), behind: nil)
    ),
    Case(
      name: "partitions of a dead worker are not missed where another worker has them",
      workers: [worker(seen: -20, partitions: [1]), worker("b", partitions: [0, 1])],
      freshness: .live
    ),
    Case(
      name: "partitions without a worker for minutes do not count",
      workers: [worker(seen: -301, partitions: [1]), worker("b")],
      freshness: .live
    ),
    Case(
      name: "a spare worker knows of no message and delays nothing",
      workers: [worker(), worker("b", partitions: [], behind: -600)],
      freshness: .live
    ),
    Case(
      name: "workers that have no partition between them are a delay",
      workers: [worker(partitions: [], behind: -600)],
      freshness: .delayed(since: time(-600), behind: nil)
    ),
    Case(
      name: "a clock that was set back by less than workers may be silent makes none dead",
      workers: [worker(seen: 14)],
      freshness: .live
    ),
  ]

  @Test("is what the workers' heartbeats say", arguments: cases)
  func table(_ example: Case) {
    let reading = WorkerReading(
      now: Self.time(0),
      lastMessageAt: example.lastMessage.map(Self.time),
      workers: example.workers
    )
    #expect(reading.freshness(at: reading.now) == example.freshness)
  }

  @Test("the label in responses changes only with the state: a delay has its minute")
  func label() {
    // 1793607330 is half a minute past.
    let minute = Self.time(-30)
    for seconds in [-30, -29.9, 0, 29.9] {
      let label = Freshness.delayed(since: Self.time(seconds), behind: Int64(seconds * 10) + 600).label
      #expect(label == FreshnessLabel(name: "delayed", since: minute))
    }
    #expect(Freshness.delayed(since: Self.time(30), behind: 1).label.since == Self.time(30))
    #expect(
      Freshness.delayed(since: Timestamp(microseconds: -1), behind: 1).label.since?.microseconds
        == -60_000_000
    )
    #expect(
      Freshness.quiet(since: Self.time(0.5)).label == FreshnessLabel(name: "quiet", since: Self.time(0.5))
    )
    #expect(Freshness.live.label == FreshnessLabel(name: "live", since: nil))
  }
}
