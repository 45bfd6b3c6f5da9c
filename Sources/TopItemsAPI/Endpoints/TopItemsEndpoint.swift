import APICore
import CountStore
import Counting
import JSONText

/// `/v1/top-items` in its formats.
struct TopItemsEndpoint: Sendable {
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
    // What leaves as it is read takes no memory, and so has no limit.
    let maximumRows = format == .page ? maximumRows : .max
    var query = TopItemsParameters.selection(&parameters, maximumRows: maximumRows)
    TopItemsParameters.additions(&parameters, to: &query)
    let display = Display(&parameters, address, hasIdentifiers: true, hasTimes: true)
    let request = ListingRequest(&parameters, context, address, format, display)
    return { [query] in listing(query, request).reply() }
  }

  private func listing(_ query: TopItemsQuery, _ request: ListingRequest) -> Listing<TopItemRecord> {
    let clock = Clock(zone: request.display.timeZone, offsets: backend.offsets)
    let sample = TopItemRecord(
      row: TopItems.Row(locationOid: nil, locationName: nil, rank: nil, itemName: nil, count: 0),
      start: DisplayTime(nil),
      end: DisplayTime(nil),
      hasShare: query.hasShare,
      isCompared: query.comparesPrevious
    )
    return Listing(
      request: request,
      sample: sample,
      kept: kept,
      observe: observe,
      isShort: query.isShort
    ) { [backend, freshness] pace, begin, body throws in
      var record = sample
      let freshness = freshness()
      try backend.eachTopItem(
        query,
        pace,
        { head throws in
          let times = try clock.display([
            head.from, head.to, head.watermark, head.previous?.lowerBound, head.previous?.upperBound,
          ])
          (record.start, record.end) = (times[0], times[1])
          let standing = ResultContext(
            query: query,
            labels: head.labels,
            freshness: freshness,
            isTied: head.isTiedAtCutoff
          )
          try begin(standing) { json in
            json.labels(head.labels, from: times[0], to: times[1], watermark: times[2])
            json.freshness(freshness)
            json.name("tie_at_cutoff")
            json.bool(head.isTiedAtCutoff)
            guard query.comparesPrevious else { return }
            json.name("previous")
            json.span(from: times[3], to: times[4])
          }
        },
        { row throws in
          record.row = row
          try body(record)
        }
      )
    }
  }
}

extension JSONWriter {
  /// What every response says of itself.
  mutating func labels(_ labels: ResultLabels, from: DisplayTime, to: DisplayTime, watermark: DisplayTime) {
    name("from")
    time(from)
    name("to")
    time(to)
    name("revision")
    integer(labels.revision)
    name("watermark")
    time(watermark)
    name("state")
    string(labels.state.rawValue)
    name("lag")
    if let lag = labels.lag { integer(lag) } else { null() }
  }

  /// The state of the workers; null where it is not known.
  mutating func freshness(_ label: FreshnessLabel?) {
    name("freshness")
    guard let label else { return null() }
    object { json in
      json.name("state")
      json.string(label.name)
      json.name("since")
      // In UTC, whatever zone the counts are shown in: it is of the system, not of the cameras.
      json.time(DisplayTime(label.since))
    }
  }

  mutating func span(from: DisplayTime, to: DisplayTime) {
    object { json in
      json.name("from")
      json.time(from)
      json.name("to")
      json.time(to)
    }
  }

  mutating func time(_ time: DisplayTime) {
    if let bytes = time.bytes { quoted(bytes) } else { null() }
  }
}
