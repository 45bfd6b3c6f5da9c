import APICore
import CountStore
import Counting
import JSONText

/// `/v1/top-items/series`: how often the items of a top list were counted in each bucket of its range.
struct SeriesEndpoint: Sendable {
  var backend: Backend
  var maximumRows: Int
  var kept: ResultSets<EncodedResult>
  var freshness: @Sendable () -> FreshnessLabel?
  var observe: Observe

  func read(
    _ parameters: inout ParameterReader,
    _ context: RequestContext,
    _ address: AddressFormat
  ) -> Route.Handler {
    let format = address.format(&parameters, accept: context.accept)
    let topItems = TopItemsParameters.selection(&parameters, maximumRows: maximumRows)
    let words = Bucket.allCases.map(\.rawValue).joined(separator: ", ")
    let bucket = parameters.one(
      "bucket",
      expected: "one of \(words)",
      default: .minute,
      Bucket.init(rawValue:)
    )
    let display = Display(&parameters, address, hasIdentifiers: true, hasTimes: true)
    let request = ListingRequest(&parameters, context, address, format, display)
    return { listing(SeriesQuery(topItems: topItems, bucket: bucket), request).reply() }
  }

  private func listing(_ query: SeriesQuery, _ request: ListingRequest) -> Listing<SeriesRecord> {
    let clock = Clock(zone: request.display.timeZone, offsets: backend.offsets)
    return Listing(
      request: request,
      sample: SeriesRecord.sample,
      kept: kept,
      observe: observe
    ) { [backend, freshness] _, begin, body throws in
      let freshness = freshness()
      let series = try backend.series(query)
      // Every item has the same buckets, so each time is written out once.
      let edges = Set(series.rows.flatMap { [$0.start, $0.end] }).sorted()
      let labels = series.labels
      let times = try clock.display([labels.from, labels.to, labels.watermark] + edges)
      let displayed = Dictionary(zip(edges, times.dropFirst(3)), uniquingKeysWith: { $1 })
      try begin(ResultContext(query: query.topItems, labels: labels, freshness: freshness)) { json in
        json.labels(labels, from: times[0], to: times[1], watermark: times[2])
        json.freshness(freshness)
        json.name("bucket")
        json.string(series.bucket.rawValue)
      }
      for row in series.rows {
        try body(
          SeriesRecord(
            row: row,
            start: displayed[row.start] ?? DisplayTime(row.start),
            end: displayed[row.end] ?? DisplayTime(row.end)
          )
        )
      }
    }
  }
}

/// A row of a series as it is written.
struct SeriesRecord: Record {
  var row: Series.Row
  var start: DisplayTime
  var end: DisplayTime

  static let sample = SeriesRecord(
    row: Series.Row(
      locationOid: nil,
      locationName: nil,
      start: Timestamp(microseconds: 0),
      end: Timestamp(microseconds: 0),
      rank: 0,
      itemName: "",
      count: 0
    ),
    start: DisplayTime(nil),
    end: DisplayTime(nil)
  )

  func write(to writer: inout some RecordWriter) {
    writer.beginRecord()
    writer.identifier("geographical_location_oid", row.locationOid)
    writer.text("geographical_location", row.locationName)
    writer.time("window_start", start)
    writer.time("window_end", end)
    writer.integer("item_rank", Int64(row.rank))
    writer.text("item_name", row.itemName)
    writer.integer("item_count", row.count)
    writer.endRecord()
  }
}
