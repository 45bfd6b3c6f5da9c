import APICore
import CountStore
import JSONText

/// `/v1/locations` in its formats: every location that has a name or has counted anything.
struct LocationsEndpoint: Sendable {
  var backend: Backend
  var maximumRows: Int
  var kept: ResultSets<EncodedResult>
  var observe: Observe

  func read(
    _ parameters: inout ParameterReader,
    _ context: RequestContext,
    _ address: AddressFormat
  ) -> Route.Handler {
    let format = address.format(&parameters, accept: context.accept)
    let display = Display(&parameters, address, hasIdentifiers: true, hasTimes: false)
    let maximumRows = format == .page ? maximumRows : .max
    let listing = Listing(
      request: ListingRequest(&parameters, context, address, format, display),
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
    return { listing.reply() }
  }
}

/// `/v1/items`: the names of all items.
struct ItemsEndpoint: Sendable {
  var backend: Backend
  var maximumRows: Int
  var kept: ResultSets<EncodedResult>
  var observe: Observe

  func read(
    _ parameters: inout ParameterReader,
    _ context: RequestContext,
    _ address: AddressFormat
  ) -> Route.Handler {
    let format = address.format(&parameters, accept: context.accept)
    let prefix = TopItemsParameters.itemPrefix(&parameters)
    let display = Display(&parameters, address, hasIdentifiers: false, hasTimes: false)
    let maximumRows = format == .page ? maximumRows : .max
    let listing = Listing(
      request: ListingRequest(&parameters, context, address, format, display),
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
    return { listing.reply() }
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
