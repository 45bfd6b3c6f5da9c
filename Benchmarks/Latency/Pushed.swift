import ArgumentParser
import Foundation
import Kafka
import Synchronization

/// By following `/v1/top-items/stream`, while other events of the same location come at a rate.
///
/// Of each measured event it is the time from before `produce()` to the arrival of the first response that counts it.
struct Pushed: ParsableCommand {
  @OptionGroup var bench: BenchTarget
  @Option(help: "Other events a second.") var rate = 0

  private static let target = "/v1/top-items/stream?location=\(BenchTarget.location)&n=100"

  /// What both threads know of the measured events.
  private final class Probes: Sendable {
    private struct State {
      var sent: [ContinuousClock.Instant] = []
      var seen: [Double] = []
    }

    private let state = Mutex(State())
    var seen: [Double] { state.withLock { $0.seen } }

    func send() -> Int {
      state.withLock { state in
        state.sent.append(.now)
        return state.sent.count
      }
    }

    func see(_ count: Int) {
      state.withLock { state in
        while state.seen.count < min(count, state.sent.count) {
          state.seen.append(BenchTarget.milliseconds(since: state.sent[state.seen.count]))
        }
      }
    }
  }

  private final class Done: Sendable {
    let value = Atomic(false)
  }

  func run() throws {
    let producer = try bench.producer()
    defer { producer.close(timeout: 1000) }
    // Another run may have been here before.
    let base = Int.random(in: 0..<1 << 60)
    let item = "probe \(base)"
    let probes = Probes()
    let isDone = Done()
    // The location must be there before it can be followed.
    _ = probes.send()
    try bench.publish(item, oid: base, on: producer)
    var client = try KeepAliveClient(port: bench.port)
    try wait("the first event is counted") {
      try client.get("/v1/top-items?location=\(BenchTarget.location)").contains(item)
    }
    try client.follow(Self.target)
    let reader = Thread { [client = Reader(client)] in client.read(item) { probes.see($0) } }
    reader.start()
    try wait("the stream has begun") { probes.seen.count == 1 }
    let times = try ProcessorTimes(bench.parts, and: [])
    if rate > 0 { Thread { [bench, rate] in Self.flood(bench, rate, base, isDone) }.start() }
    let warmUp = 20
    for number in 2...(bench.tries + warmUp) {
      // Never in step with any timer.
      usleep(.random(in: 100_000...250_000))
      _ = probes.send()
      try bench.publish(item, oid: base + number, on: producer)
    }
    try wait("the last event is counted") { probes.seen.count == bench.tries + warmUp }
    let cost = times.spent()
    isDone.value.store(true, ordering: .relaxed)
    let figures = Figures(Array(probes.seen.dropFirst(warmUp)))
    print("milliseconds, \(bench.tries) tries, \(rate) other events/s      p50      p90      p99      max")
    print("from produce() to the pushed answer        \(figures.row)")
    print(cost.row)
    try bench.write(Report(figures: figures, cost: cost))
  }

  private struct Report: Encodable {
    var figures: Figures
    var cost: ProcessorSeconds

    enum CodingKeys: String, CodingKey {
      case figures = "publish_to_pushed_ms"
      case cost = "cpu_seconds"
    }
  }

  /// Owns the connection on the thread that reads.
  private final class Reader: @unchecked Sendable {
    // Unchecked is safe: after it was made, only the reading thread uses it.
    private var client: KeepAliveClient

    init(_ client: consuming KeepAliveClient) { self.client = client }

    func read(_ item: String, _ see: (Int) -> Void) {
      while let event = try? client.nextEvent() {
        if let count = BenchTarget.count(of: item, in: event) { see(count) }
      }
    }
  }

  private static func flood(_ bench: BenchTarget, _ rate: Int, _ base: Int, _ isDone: Done) {
    guard let producer = try? bench.producer(lingerMilliseconds: BenchTarget.backgroundLinger) else { return }
    let start = ContinuousClock.now
    var sent = 0
    while !isDone.value.load(ordering: .relaxed) {
      let due = Int(start.duration(to: .now) / .seconds(1) * Double(rate))
      while sent < due {
        sent += 1
        try? bench.publish("other \(sent % 40)", oid: base + 1_000_000 + sent, on: producer)
      }
      usleep(5000)
    }
    producer.close(timeout: 1000)
  }

  private func wait(_ what: String, _ condition: () throws -> Bool) throws {
    let deadline = ContinuousClock.now + .seconds(60)
    while try !condition() {
      guard ContinuousClock.now < deadline else {
        throw ValidationError("not within 60 s: \(what); does a worker read \(bench.topic)?")
      }
      usleep(2000)
    }
  }
}
