import CountStore
import Locks

extension Answer {
  /// The body of a probe that found all well.
  static func status(_ word: String) -> Answer {
    var json = JSONWriter()
    json.object { json in
      json.name("status")
      json.string(word)
    }
    return Answer(body: json.bytes, isRevalidated: false)
  }
}

/// `/readyz`: PostgreSQL is reachable and has the schema that this binary needs.
///
/// It waits for no worker, so that a server full of slow questions is not taken for one that cannot answer any. One is
/// asked at a time, and what it finds is the answer to all who have asked by then.
final class ReadinessEndpoint: Sendable {
  private let ask: Backend.Probe
  private let observe: Observe
  private let waiting = Lock<[Answer.Deliver]>([])

  init(ask: @escaping Backend.Probe, observe: @escaping Observe) {
    self.ask = ask
    self.observe = observe
  }

  func answer() -> Answer.Outcome {
    .later { [self] deliver in
      let isFirst = waiting.withLock { waiting in
        waiting.append(deliver)
        return waiting.count == 1
      }
      guard isFirst else { return }
      ask { [self] found in
        let outcome = outcome(found)
        let told = waiting.withLock { waiting in
          defer { waiting = [] }
          return waiting
        }
        for deliver in told { deliver(outcome) }
      }
    }
  }

  private func outcome(_ found: Result<Readiness, CountStoreError>) -> Result<Answer, APIError> {
    switch found {
    case .success(.ready): return .success(.status("ready"))
    case .success(.migrationsPending(let names)): return .failure(.migrationsPending(names))
    case .failure(let error):
      observe(.readinessFailed(error))
      return .failure(APIError(error))
    }
  }
}
