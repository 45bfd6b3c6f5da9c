import APICore
import CountStore
import Counting
import HTTP
import Threading
import TestSupport
import Testing

@testable import OData

/// The OData service over rows in memory, asked like a client asks.
struct TestOData {
  let service: ODataService
  let queries = Queries()

  /// Every query that reached the store, in order.
  final class Queries: Sendable {
    private let list = Lock<[BIQuery]>([])
    func append(_ query: BIQuery) { list.withLock { $0.append(query) } }
    var all: [BIQuery] { list.withLock { $0 } }
  }

  /// - Parameter rows: a value for each column of `TopItems`; they are given in this order to every query, which
  ///   only its columns change.
  init(
    _ rows: [[BIValue]] = [],
    failing: CountStoreError? = nil,
    after: Int = .max,
    memoryBytes: Int = 1 << 20
  ) {
    let queries = queries
    service = ODataService(
      read: { query, body throws(CountStoreError) in
        queries.append(query)
        if let failing, after == 0 { throw failing }
        let all = BIView.topItemsByDay.columns
        var index = 0
        let shown = rows.prefix(query.limit.map { Int(clamping: $0) } ?? .max)
        body(
          BIRows(count: query.isCounted ? Int64(rows.count) : nil) { () throws(CountStoreError) in
            if let failing, index == after { throw failing }
            guard index < shown.count else { return nil }
            defer { index += 1 }
            return query.columns.map { column in
              all.firstIndex(of: column).map { shown[index][$0] } ?? .int64(Int64(index))
            }
          }
        )
      },
      memoryBytes: memoryBytes
    )
  }

  /// What was sent, and whether it broke off.
  struct EndpointResponse {
    var response: Response
    var isBroken = false
    var pieces = 1

    var text: String { String(decoding: response.body, as: UTF8.self) }
    func json() throws -> JSON { try JSON(parsing: response.body) }
  }

  func answer(_ target: String, method: Method = .get, fields: Fields = [:]) throws -> EndpointResponse {
    var fields = fields
    if fields["Host"] == nil { fields.append("Host", "counts.example:8080") }
    let escaped = target.replacing(" ", with: "%20")
    let request = Request(method: method, target: try Target(escaped, method: method), fields: fields)
    switch service.handle(request, origin: PublicAddress().origin(for: request)) {
    case .ready(let response): return EndpointResponse(response: response)
    case .blocking(let work): return EndpointResponse(response: work())
    case .push: throw UnexpectedReply()
    case .streaming(let work):
      let sent = Lock<EndpointResponse?>(nil)
      let stream = ResponseStream { part throws(StreamBroken) in
        sent.withLock { answer in
          switch part {
          case .head(let response): answer = EndpointResponse(response: response)
          case .piece(let bytes):
            answer?.response.body += bytes
            answer?.pieces += 1
          }
        }
      }
      var isBroken = false
      do { try work(stream) } catch { isBroken = true }
      var answer = try #require(sent.withLock { $0 })
      answer.isBroken = isBroken
      return answer
    }
  }

  /// The query that a target asks the store.
  func query(_ target: String) throws -> BIQuery {
    let answer = try answer(target)
    try #require(answer.response.status == .ok, "\(answer.text)")
    return try #require(queries.all.last)
  }

  static func rows(_ count: Int) -> [[BIValue]] {
    let start = Timestamp(rfc3339: "2026-11-01T00:00:00Z") ?? Timestamp(microseconds: 0)
    let end = Timestamp(rfc3339: "2026-11-02T00:00:00Z") ?? Timestamp(microseconds: 0)
    return (0..<count).map { index -> [BIValue] in
      let name: BIValue = index % 2 == 0 ? .text("Gate A") : .null
      let item = "item \(index) \"<&>\u{202e}'"
      return [
        .int64(9_007_199_254_740_993), name, .timestamp(start), .timestamp(end), .int64(Int64(index + 1)),
        .text(item), .int64(.max - Int64(index)),
      ]
    }
  }
}

/// The response is pushed, which OData never does.
struct UnexpectedReply: Error {}
