import APICore
import CountStore
import JSONText

/// `/v1/locations` in its formats: every location that has a name or has counted anything.
struct LocationsEndpoint: Sendable {
  static let names = ["int64", "escape_formulas"]

  var backend: Backend
  var maximumRows: Int
  var kept: ResultSets<EncodedResult>
  var observe: Observe

  func answer(_ context: RequestContext, as format: Format) throws(APIError) -> EndpointResponse.Outcome {
    let display = try Display(context.parameters)
    let maximumRows = format == .page ? maximumRows : .max
    let listing = Listing(
      context: context,
      format: format,
      canonicalQuery: display.canonicalQuery,
      display: display,
      sample: LocationRecord(oid: 0, name: nil),
      kept: kept,
      observe: observe
    ) { [backend] pace, begin, body throws in
      try backend.eachLocation(
        maximumRows,
        pace,
        { revision throws in try begin(nil) { $0.revision(revision) } },
        { oid, name throws in try body(LocationRecord(oid: oid, name: name)) }
      )
    }
    return try listing.outcome()
  }
}

/// `/v1/items`: the names of all items.
struct ItemsEndpoint: Sendable {
  static let names = ["item", "escape_formulas"]

  var backend: Backend
  var maximumRows: Int
  var kept: ResultSets<EncodedResult>
  var observe: Observe

  func answer(_ context: RequestContext, as format: Format) throws(APIError) -> EndpointResponse.Outcome {
    let display = try Display(context.parameters)
    let prefix = try TopItemsParameters.itemPrefix(context.parameters)
    let maximumRows = format == .page ? maximumRows : .max
    let listing = Listing(
      context: context,
      format: format,
      canonicalQuery: "\(display.canonicalQuery)&item=\(prefix ?? "")",
      display: display,
      sample: ItemRecord(name: ""),
      kept: kept,
      observe: observe
    ) { [backend] pace, begin, body throws in
      try backend.eachItem(
        prefix,
        maximumRows,
        pace,
        { revision throws in try begin(nil) { $0.revision(revision) } },
        { name throws in try body(ItemRecord(name: name)) }
      )
    }
    return try listing.outcome()
  }
}

/// A location as it is written.
struct LocationRecord: Record {
  var oid: Int64
  var name: String?

  func write(to writer: inout some RecordWriter) {
    writer.beginRecord()
    writer.identifier("geographical_location_oid", oid)
    writer.text("geographical_location", name)
    writer.endRecord()
  }
}

/// An item as it is written.
struct ItemRecord: Record {
  var name: String

  func write(to writer: inout some RecordWriter) {
    writer.beginRecord()
    writer.text("item_name", name)
    writer.endRecord()
  }
}

extension JSONWriter {
  fileprivate mutating func revision(_ revision: Int64) {
    name("revision")
    integer(revision)
  }
}
