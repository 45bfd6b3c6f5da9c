import APICore
import CountStore
import HTTP
import JSONText

/// `/v1/status`: how far the counts have come, what became of all messages, and which cameras misbehave.
struct StatusEndpoint: Sendable {
  var ask: @Sendable () throws(CountStoreError) -> SystemStatus
  var observe: Observe

  func answer(_ context: RequestContext) -> Reply {
    context.blocking { () throws(APIError) in
      let start = ContinuousClock.now
      let status: SystemStatus
      do throws(CountStoreError) {
        status = try ask()
      } catch {
        observe(.statusFailed(error))
        throw APIError(error)
      }
      let context = ContinuousClock.now
      let body = StatusJSON.body(status)
      return EndpointResponse(
        body: body,
        isRevalidated: true,
        timings: [("db", context - start), ("json", ContinuousClock.now - context)]
      )
    }
  }
}
