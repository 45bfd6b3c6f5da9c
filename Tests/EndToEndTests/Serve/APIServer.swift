import Foundation
import TestSupport

/// A running `topitems serve` on a port that the kernel chose.
struct APIServer: Sendable {
  let process: ProcessRunner
  let client: HTTPClient

  init(databaseURL: String, options: [String] = []) throws {
    let process = try ProcessRunner(
      ["serve", "--listen", "127.0.0.1:0"] + options,
      environment: ["TOPITEMS_DATABASE_URL": databaseURL]
    )
    var port: UInt16?
    try process.waitUntil(within: .seconds(20), "it listens") {
      port = Self.port(in: process.errors)
      return port != nil
    }
    guard let port else { throw TestSupportError("no port") }
    self.process = process
    client = HTTPClient(port: port)
  }

  /// The port in the log line of the listener.
  private static func port(in log: String) -> UInt16? {
    guard let marker = log.firstRange(of: /listening on https?:\/\/127\.0\.0\.1:/) else { return nil }
    let rest = log[marker.upperBound...]
    guard let end = rest.firstIndex(where: { !$0.isNumber }) else { return nil }
    return UInt16(rest[..<end])
  }

  /// Waits until it is ready.
  func waitUntilReady(within limit: Duration = .seconds(20)) throws {
    try process.waitUntil(within: limit, "/readyz is 200") { try client.get("/readyz").status == 200 }
  }

  /// The rows of a response, in their order; asked for again while the server says that it cannot answer now.
  func rows(_ query: String) throws -> [TopRow] {
    var answer = try client.get("/v1/top-items?\(query)")
    let deadline = ContinuousClock.now + .seconds(60)
    while [503, 504].contains(answer.status), ContinuousClock.now < deadline {
      Thread.sleep(forTimeInterval: 0.5)
      answer = try client.get("/v1/top-items?\(query)")
    }
    guard answer.status == 200 else { throw TestSupportError("\(answer.status) \(answer.text.prefix(1000))") }
    let envelope = try JSONDecoder().decode(Envelope.self, from: Data(answer.body))
    guard envelope.next == nil, envelope.rows == envelope.data.count else {
      throw TestSupportError("the answer says \(envelope.rows) rows, next \(envelope.next ?? "-")")
    }
    return envelope.data
  }

  /// Where the responses differ from the truth: over the whole time, and in each window; every location, every item.
  func differences(from truth: TruthFile) throws -> [String] {
    let format = ISO8601DateFormatter()
    func time(_ microseconds: Int64) -> String {
      format.string(from: Date(timeIntervalSince1970: Double(microseconds / 1_000_000)))
    }
    guard let first = truth.windows.first, let last = truth.windows.last else { return ["no window"] }
    let minute: Int64 = 60_000_000
    let spans = [(first, last + minute)] + truth.windows.map { ($0, $0 + minute) }
    return try spans.flatMap { from, to -> [String] in
      let found = try rows("n=1000&from=\(time(from))&to=\(time(to))")
      let wanted = truth.ranking(from: from, to: to)
      guard found != wanted else { return [] }
      let lines = zip(found, wanted).filter { $0 != $1 }.map { "\($0), the truth is \($1)" }
      return ["from \(time(from)) to \(time(to)): \(found.count) rows instead of \(wanted.count)"]
        + lines.prefix(5)
    }
  }

  private struct Envelope: Decodable {
    var data: [TopRow]
    var rows: Int
    var next: String?
  }
}

/// One row of a response.
struct TopRow: Decodable, Equatable, CustomStringConvertible {
  var geographical_location_oid: String?
  var geographical_location: String?
  var item_rank: Int
  var item_name: String
  var item_count: Int64

  var description: String {
    "\(geographical_location_oid ?? "all") #\(item_rank) \(item_name): \(item_count)"
  }
}

extension TruthFile {
  /// What the API must answer for every location in a span of windows (microseconds since 1970, half-open): by count
  /// descending, then by the names' bytes. No location has more items than `n` goes.
  func ranking(from: Int64 = .min, to: Int64 = .max) -> [TopRow] {
    var sums: [Int64: [[UInt8]: Int64]] = [:]
    for (key, count) in counts where key.windowStart >= from && key.windowStart < to {
      sums[key.location, default: [:]][key.item, default: 0] += count
    }
    return sums.sorted { $0.key < $1.key }.flatMap { location, items in
      items.sorted { a, b in
        a.value != b.value ? a.value > b.value : a.key.lexicographicallyPrecedes(b.key)
      }.enumerated().map { index, item in
        TopRow(
          geographical_location_oid: "\(location)",
          geographical_location: nil,
          item_rank: index + 1,
          item_name: String(decoding: item.key, as: UTF8.self),
          item_count: item.value
        )
      }
    }
  }

  /// The starts of all windows.
  var windows: [Int64] { Set(counts.keys.map(\.windowStart)).sorted() }
}
