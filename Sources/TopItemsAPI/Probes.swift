import CountStore

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
struct ReadinessEndpoint: Sendable {
  var ask: @Sendable () throws(CountStoreError) -> Readiness
  var observe: Observe

  func answer() -> Answer.Outcome {
    .blocking { () throws(APIError) in
      let readiness: Readiness
      do throws(CountStoreError) {
        readiness = try ask()
      } catch {
        observe(.readinessFailed(error))
        throw APIError(error)
      }
      switch readiness {
      case .ready: return .status("ready")
      case .migrationsPending(let names): throw .migrationsPending(names)
      }
    }
  }
}
