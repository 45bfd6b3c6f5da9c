package import HTTP

/// What every response of one request has in common: the fields around the body.
package struct Frame: Sendable {
  private let start = ContinuousClock.now
  private let instance: String?
  /// The values of `If-None-Match`.
  package let ifNoneMatch: [String]
  /// Whether the client takes gzip.
  package let acceptsGzip: Bool

  package init() {
    instance = nil
    ifNoneMatch = []
    acceptsGzip = false
  }

  package init(_ request: Request) {
    instance = String(request.target.rawPathAndQuery.prefix { $0 != "?" })
    ifNoneMatch = request.fields.values(of: "If-None-Match")
    acceptsGzip = AcceptEncoding.acceptsGzip(request.fields)
  }

  package func response(_ error: APIError) -> Response {
    let problem = error.problem
    var fields = fields(contentType: "application/problem+json", cacheControl: "no-store")
    if !problem.allow.isEmpty { fields.append("Allow", Self.list(problem.allow)) }
    if let seconds = problem.retryAfter { fields.append("Retry-After", String(seconds)) }
    return Response(status: problem.status, fields: fields, body: problem.body(instance: instance))
  }

  package func options(_ methods: [Method]) -> Response {
    var fields = fields(contentType: nil, cacheControl: "no-store")
    fields.append("Allow", Self.list(methods))
    return Response(status: .noContent, fields: fields)
  }

  package func fields(
    contentType: String?,
    cacheControl: String,
    timings: [(name: String, duration: Duration)] = []
  ) -> Fields {
    var fields = Fields()
    if let contentType { fields.append("Content-Type", contentType) }
    fields.append("X-Content-Type-Options", "nosniff")
    fields.append("Cache-Control", cacheControl)
    fields.append("Vary", "Accept, Accept-Encoding, Authorization")
    let all = timings + [("total", ContinuousClock.now - start)]
    fields.append(
      "Server-Timing",
      all.map { "\($0.name);dur=\(Self.milliseconds($0.duration))" }.joined(separator: ", ")
    )
    return fields
  }

  package static func list(_ methods: [Method]) -> String {
    methods.map(\.rawValue).joined(separator: ", ")
  }

  /// Milliseconds with three decimals, as `Server-Timing` wants them.
  private static func milliseconds(_ duration: Duration) -> String {
    let (seconds, attoseconds) = duration.components
    let microseconds = max(0, seconds * 1_000_000 + attoseconds / 1_000_000_000_000)
    let fraction = String(microseconds % 1000)
    return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
  }
}
