import APICore
import CountStore
import Counting
import HTTP
import Threading
import TestSupport
import Testing

@testable import TopItemsAPI

/// The API over a store in memory, asked like a client asks.
struct TestAPI {
  var api: TopItemsAPI
  let queries = Queries()

  /// Every query that reached the store, in order.
  final class Queries: Sendable {
    private let list = Lock<[TopItemsQuery]>([])
    private let series = Lock<[SeriesQuery]>([])
    func append(_ query: TopItemsQuery) { list.withLock { $0.append(query) } }
    func append(_ query: SeriesQuery) {
      series.withLock { $0.append(query) }
      append(query.topItems)
    }
    var all: [TopItemsQuery] { list.withLock { $0 } }
    var allSeries: [SeriesQuery] { series.withLock { $0 } }
  }

  init(
    _ result: Result<TopItems, CountStoreError> = .success(.gateA),
    failingAfter rows: Int? = nil,
    with failure: CountStoreError = .tooManyRows(limit: 1),
    series: Result<Series, CountStoreError> = .success(.twoMinutes),
    locations: Result<[Location], CountStoreError> = .success(.gates),
    items: Result<[String], CountStoreError> = .success(["crate", "forklift"]),
    offsets: Result<Int, CountStoreError> = .success(3600),
    readiness: Result<Readiness, CountStoreError> = .success(.ready),
    status: Result<SystemStatus, CountStoreError> = .success(.busy),
    settings: TopItemsAPI.Settings = TopItemsAPI.Settings(),
    memory: Int = 0,
    observe: @escaping @Sendable (APIObservation) -> Void = { _ in }
  ) {
    let queries = queries
    api = TopItemsAPI(
      backend: Backend(
        topItems: { (query) throws(CountStoreError) in
          queries.append(query)
          return try result.get()
        },
        eachTopItem: { query, pace, begin, row throws in
          queries.append(query)
          let answer = try result.get()
          if rows == 0 { throw failure }
          try begin(answer)
          guard let rows else {
            for value in answer.rows { try row(value) }
            return
          }
          for _ in 0..<rows {
            try row(
              TopItems.Row(locationOid: 1, locationName: nil, rank: 1, itemName: "of some length", count: 1)
            )
          }
          throw failure
        },
        series: { (query) throws(CountStoreError) in
          queries.append(query)
          return try series.get()
        },
        eachLocation: { maximumRows, pace, begin, row throws in
          let answer = try locations.get()
          try begin(88121)
          for value in answer { try row(value.oid, value.name) }
        },
        eachItem: { prefix, maximumRows, pace, begin, row throws in
          let answer = try items.get()
          try begin(88121)
          for value in answer where value.hasPrefix(prefix ?? "") { try row(value) }
        },
        offsets: { (zone, times) throws(CountStoreError) in
          let offset = try offsets.get()
          return times.map { _ in offset }
        },
        readiness: { $0(readiness) },
        status: { () throws(CountStoreError) in try status.get() }
      ),
      settings: settings,
      // Computed at once, on the thread that asks.
      shared: SharedResponses(
        bytes: memory,
        run: { work in
          work()
          return true
        },
        after: { _, _ in }
      ),
      observe: observe
    )
  }

  func response(_ target: String, method: Method = .get, fields: Fields = [:]) throws -> Response {
    let request = Request(method: method, target: try Target(target, method: method), fields: fields)
    switch api.handle(request) {
    case .ready(let response): return response
    case .blocking(let work): return work()
    case .push(let subscribe): return pushed(subscribe)
    case .streaming(let work):
      let received = Received()
      try work(received.stream)
      return try received.response()
    }
  }

  /// What came of a response in pieces.
  final class Received: Sendable {
    private let parts = Lock<(head: Response?, pieces: [[UInt8]])>((nil, []))

    var stream: ResponseStream {
      ResponseStream { [self] part throws(StreamBroken) in
        parts.withLock { parts in
          switch part {
          case .head(let head): parts.head = head
          case .piece(let piece): parts.pieces.append(piece)
          }
        }
      }
    }

    var pieces: [[UInt8]] { parts.withLock { $0.pieces } }

    func response() throws -> Response {
      try parts.withLock { parts in
        guard var response = parts.head else { throw UnexpectedReply() }
        for piece in parts.pieces { response.body += piece }
        return response
      }
    }
  }

  /// What a client gets at once: a whole response, or the beginning of a stream.
  private func pushed(_ subscribe: (PushChannel) -> Void) -> Response {
    let response = Lock(Response(status: .internalServerError))
    subscribe(
      PushChannel(
        send: { signal in
          response.withLock { response in
            switch signal {
            case .answer(let whole): response = whole
            case .begin(let head, _): response = head
            case .message(let bytes): response.body += bytes
            case .end: break
            }
          }
        },
        onClose: { _ in }
      )
    )
    return response.withLock { $0 }
  }

  /// The response's JSON.
  func json(_ target: String, method: Method = .get, fields: Fields = [:]) throws -> JSON {
    try JSON(parsing: try response(target, method: method, fields: fields).body)
  }

  /// The query that a target asks the store.
  func query(_ target: String) throws -> TopItemsQuery {
    let response = try response(target)
    try #require(response.status == .ok, "\(String(decoding: response.body, as: UTF8.self))")
    return try #require(queries.all.last)
  }
}

extension Series {
  static let twoMinutes = Series(
    labels: TopItems.gateA.labels,
    bucket: .minute,
    rows: ([5, 0] as [Int64]).enumerated().map { index, count in
      let start: Int64 = 1_793_491_200_000_000 + Int64(index) * 60_000_000
      return Row(
        locationOid: 42,
        locationName: "Gate A",
        start: Timestamp(microseconds: start),
        end: Timestamp(microseconds: start + 60_000_000),
        rank: 1,
        itemName: "forklift",
        count: count
      )
    }
  )
}

/// A location that may have no name.
struct Location {
  var oid: Int64
  var name: String?
}

extension [Location] {
  static let gates = [Location(oid: 42, name: "Gate A"), Location(oid: 1 << 53 + 1, name: nil)]
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
      lag: 17,
      rows: rows
    )
  }

  /// With a row of each kind.
  static let compared: TopItems = {
    var answer = with([
      Row(
        locationOid: 42,
        locationName: "Gate A",
        rank: 1,
        itemName: "forklift",
        count: 60,
        total: 100,
        previousRank: 2,
        previousCount: 50
      ),
      Row(
        locationOid: 42,
        locationName: "Gate A",
        rank: 2,
        itemName: "pallet",
        count: 30,
        total: 100,
        previousRank: nil,
        previousCount: 0
      ),
      Row(
        locationOid: 42,
        locationName: "Gate A",
        rank: nil,
        itemName: "crate",
        count: 0,
        total: nil,
        previousRank: 1,
        previousCount: 70
      ),
      Row(locationOid: 42, locationName: "Gate A", rank: nil, itemName: nil, count: 10, total: 100),
    ])
    answer.previous = Timestamp(microseconds: 0)..<Timestamp(microseconds: 86_400_000_000)
    answer.isTiedAtCutoff = true
    return answer
  }()

  /// Where nothing is counted yet.
  static let nothing = TopItems(from: nil, to: nil, revision: 0, watermark: nil, state: .open, rows: [])
}

/// The response comes in pieces where a whole one was asked for.
struct UnexpectedReply: Error {}
