import CountStore
import Counting
import Foundation
import HTTP
import Threading
import OData
import Postgres
import TestSupport
import Testing
import TopItemsAPI

@Suite("OData: pages while counts go on")
struct ODataPagesTests {
  private typealias F = RollupFixture

  private struct Page: Decodable {
    struct Row: Decodable {
      var geographical_location_oid: Int64
      var window_start: String
      var item_rank: Int64
      var item_name: String
      var item_count: Int64
    }
    var value: [Row]
    var count: Int64
    var nextLink: String?

    enum CodingKeys: String, CodingKey {
      case value
      case count = "@odata.count"
      case nextLink = "@odata.nextLink"
    }
  }

  private func get(_ service: ODataService, _ target: String) throws -> Page {
    var fields: Fields = ["Host": "counts.example"]
    fields.append("Prefer", "odata.maxpagesize=500")
    let sent = Lock<[UInt8]>([])
    let request = Request(target: try Target(target), fields: fields)
    switch service.handle(request, origin: "http://counts.example") {
    case .ready(let response): sent.withLock { $0 = response.body }
    case .blocking(let work): sent.withLock { $0 = work().body }
    case .streaming(let work):
      try work(
        ResponseStream { part throws(StreamBroken) in
          sent.withLock { body in
            switch part {
            case .head(let response): body = response.body
            case .piece(let bytes): body += bytes
            }
          }
        }
      )
    case .push: throw TestSupportError("there was no push to ask for")
    }
    return try JSONDecoder().decode(Page.self, from: Data(sent.withLock { $0 }))
  }

  @Test(
    "100,000 rows in pages of 500 are of one state: none twice, none left out, ranks and counts that fit together"
  )
  func pinned() throws {
    try TestDatabase.withDatabase { url in
      let fixture = try F(url: url, horizonDays: 20)
      let today = try fixture.today()
      // 50 locations, 200 minutes, 10 items.
      for item in 0..<10 { _ = try fixture.store.internItems([Array("item \(item)".utf8)]) }
      _ = try fixture.connection.execute(
        """
        INSERT INTO window_count
        SELECT location, time, item_id, 1 + (item_id + location) % 7
        FROM generate_series(\(timestamp: today - 200 * F.minute), \(timestamp: today) - interval '1 us', interval '1 minute')
               AS time, generate_series(1, 50) AS location, item
        """
      )
      try fixture.connection.run(
        script: "INSERT INTO counted_location SELECT generate_series(1, 50); ANALYZE"
      )
      let options = ConnectionOptions(url: url)
      let service = ODataService(read: { query, body throws(CountStoreError) in
        let connection: Connection
        do throws(PostgresError) { connection = try Connection(options) } catch { throw .postgres(error) }
        defer { connection.close() }
        try CountStore(connection).read(query, body)
      })

      let isDone = Flag()
      let writer = Background {
        let own = try F(url: url, horizonDays: 20)
        var random = SeededGenerator(seed: 3)
        while !isDone.isSet {
          try own.count(
            (0..<200).map { _ in
              let at = today - .random(in: 1...200 * F.minute, using: &random)
              return (
                .random(in: 1...50, using: &random), "item \(Int.random(in: 0..<12, using: &random))", at
              )
            }
          )
        }
        return own.truth.count
      }
      defer { isDone.set() }

      var target: String? = "/odata/v4/TopItemsByMinute?$count=true"
      var rows: [Page.Row] = []
      var pages = 0
      var count: Int64 = 0
      while let next = target {
        let page = try get(service, next.replacing("http://counts.example", with: ""))
        #expect(pages == 0 || page.count == count)
        count = page.count
        rows += page.value
        pages += 1
        target = page.nextLink
      }
      isDone.set()
      #expect(try writer.value() > 0)
      #expect(rows.count >= 100_000)
      #expect(Int64(rows.count) == count)
      #expect(pages == (rows.count + 499) / 500)
      // In order, so none is there twice; ranks without a gap, so none is left out; counts that fall with the rank, so
      // that all rows of a window are of one state.
      for (a, b) in zip(rows, rows.dropFirst()) {
        let isSameWindow =
          a.geographical_location_oid == b.geographical_location_oid && a.window_start == b.window_start
        if isSameWindow {
          let isOrdered =
            a.item_count > b.item_count || (a.item_count == b.item_count && a.item_name < b.item_name)
          guard b.item_rank == a.item_rank + 1, isOrdered else {
            Issue.record("\(a) and \(b)")
            return
          }
        } else {
          let isLater =
            (a.geographical_location_oid, a.window_start) < (b.geographical_location_oid, b.window_start)
          guard b.item_rank == 1, isLater else {
            Issue.record("\(a) and \(b)")
            return
          }
        }
      }
    }
  }
}
