import CountStore
import Counting
import HTTP
import Synchronization
import Testing

@testable import TopItemsAPI

/// The API over a store in memory, asked like a client asks.
struct Asking {
  var api: TopItemsAPI
  let asked = Questions()

  /// Every question that reached the store, in order.
  final class Questions: Sendable {
    private let list = Mutex<[TopItemsQuery]>([])
    func append(_ query: TopItemsQuery) { list.withLock { $0.append(query) } }
    var all: [TopItemsQuery] { list.withLock { $0 } }
  }

  init(
    _ result: Result<TopItems, CountStoreError> = .success(.gateA),
    readiness: Result<Readiness, CountStoreError> = .success(.ready),
    status: Result<SystemStatus, CountStoreError> = .success(.busy),
    observe: @escaping @Sendable (APIObservation) -> Void = { _ in }
  ) {
    let asked = asked
    api = TopItemsAPI(
      backend: Backend(
        topItems: { (query) throws(CountStoreError) in
          asked.append(query)
          return try result.get()
        },
        readiness: { () throws(CountStoreError) in try readiness.get() },
        status: { () throws(CountStoreError) in try status.get() }
      ),
      observe: observe
    )
  }

  func response(_ target: String, method: Method = .get, fields: Fields = [:]) throws -> Response {
    let request = Request(method: method, target: try Target(target, method: method), fields: fields)
    return switch api.handle(request) {
    case .ready(let response): response
    case .blocking(let work): work()
    case .streaming, .push: throw UnexpectedReply()
    }
  }

  /// The answer's JSON.
  func json(_ target: String, method: Method = .get, fields: Fields = [:]) throws -> JSON {
    try JSON(parsing: try response(target, method: method, fields: fields).body)
  }

  /// The question that a target asks the store.
  func query(_ target: String) throws -> TopItemsQuery {
    let response = try response(target)
    try #require(response.status == .ok, "\(String(decoding: response.body, as: UTF8.self))")
    return try #require(asked.all.last)
  }
}

extension TopItems {
  static let gateA = with([
    Row(locationOid: 42, locationName: "Gate A", rank: 1, itemName: "forklift", count: 991),
    Row(locationOid: 42, locationName: "Gate A", rank: 2, itemName: "pallet", count: 12),
    Row(locationOid: 43, locationName: nil, rank: 1, itemName: "crate", count: 7),
  ])

  /// A day's top list of these rows.
  static func with(_ rows: [Row]) -> TopItems {
    TopItems(
      from: Timestamp(rfc3339: "2026-11-01T00:00:00Z"),
      to: Timestamp(rfc3339: "2026-11-02T00:00:00Z"),
      revision: 88121,
      watermark: Timestamp(rfc3339: "2026-11-02T08:15:30.25Z"),
      state: .final,
      rows: rows
    )
  }

  /// Where nothing is counted yet.
  static let nothing = TopItems(from: nil, to: nil, revision: 0, watermark: nil, state: .open, rows: [])
}

/// The answer comes in pieces where a whole one was asked for.
struct UnexpectedReply: Error {}
