import CountStore
import Threading
import Testing

@testable import TopItemsAPI

@Suite("Readiness")
final class ReadinessTests: Sendable {
  private typealias Deliver = @Sendable (Result<Readiness, CountStoreError>) -> Void

  private let probes = Lock<[Deliver]>([])
  private let timers = Lock<[@Sendable () -> Void]>([])
  private let answers = Lock<[String]>([])

  private func endpoint() -> ReadinessEndpoint {
    ReadinessEndpoint(
      ask: { [self] deliver in probes.withLock { $0.append(deliver) } },
      after: { [self] delay, work in
        #expect(delay < .seconds(2))
        timers.withLock { $0.append(work) }
      },
      observe: { _ in }
    )
  }

  @Test("requests during a probe get its result; a later request starts another probe")
  func sharing() throws {
    let endpoint = endpoint()
    for _ in 0..<3 { try ask(endpoint) }
    #expect(probes.withLock { $0.count } == 1 && answers.withLock { $0.isEmpty })
    probes.withLock { $0[0] }(.success(.ready))
    #expect(answers.withLock { $0 } == Array(repeating: #"{"status":"ready"}"#, count: 3))
    try ask(endpoint)
    #expect(probes.withLock { $0.count } == 2 && answers.withLock { $0.count } == 3)
    probes.withLock { $0[1] }(.success(.migrationsPending(["0007_x.sql"])))
    #expect(answers.withLock { $0.last }?.contains("0007_x.sql") == true)
  }

  @Test("a probe that takes too long is a refusal for all requests, until it has ended")
  func limit() throws {
    let endpoint = endpoint()
    for _ in 0..<2 { try ask(endpoint) }
    timers.withLock { $0[0] }()
    #expect(answers.withLock { $0 } == ["databaseAway", "databaseAway"])
    try ask(endpoint)
    #expect(
      answers.withLock { $0.count } == 3 && probes.withLock { $0.count } == 1,
      "at once, without another look"
    )
    probes.withLock { $0[0] }(.success(.ready))
    #expect(answers.withLock { $0.count } == 3, "no request is answered twice")
    try ask(endpoint)
    #expect(probes.withLock { $0.count } == 2)
    // The first look's timer is not the second one's.
    timers.withLock { $0[0] }()
    probes.withLock { $0[1] }(.success(.ready))
    #expect(answers.withLock { $0.last } == #"{"status":"ready"}"#)
  }

  private func ask(_ endpoint: ReadinessEndpoint) throws {
    endpoint.subscribe { [self] outcome in
      answers.withLock { answers in
        switch outcome {
        case .success(let answer): answers.append(String(decoding: answer.body, as: UTF8.self))
        case .failure(let error): answers.append("\(error)")
        }
      }
    }
  }
}
