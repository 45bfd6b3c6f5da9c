import APICore
import CountStore
import HTTP
import JSONText

/// What a request for rows says of their form, besides which rows they are.
struct ListingRequest: Sendable {
  var context: RequestContext
  var address: AddressFormat
  var format: Format
  var display: Display
  var paging: Paging
  /// The same for every way to ask the same query: the pages of one result are asked for alike.
  var key: SharedQuery.Key

  /// To be made when all other parameters have been read.
  init(
    _ parameters: inout ParameterReader,
    _ context: RequestContext,
    _ address: AddressFormat,
    _ format: Format,
    _ display: Display
  ) {
    self.context = context
    self.address = address
    self.format = format
    self.display = display
    paging = address.paging(&parameters, format)
    key = SharedQuery.Key(
      path: address.questionPath(context.path),
      format: format,
      parameters: parameters,
      scope: context.scope
    )
  }
}

/// Rows on their way from the store to the client: what all endpoints that return rows have in common.
struct Listing<Row: Record & Sendable>: Sendable {
  /// At whose pace rows are read: into memory at once, or as the client takes them.
  typealias Read =
    @Sendable (
      _ pace: Pace,
      _ begin: (ResultContext?, _ meta: (inout JSONWriter) -> Void) throws -> Void,
      _ row: (Row) throws -> Void
    ) throws -> Void

  var request: ListingRequest
  /// Any row: for the columns, which are listed also when there is no row.
  var sample: Row
  var kept: ResultSets<EncodedResult>
  var observe: Observe
  /// Whether it is known to be short, and so made whole and shared in every format.
  var isShort = false
  /// Reads the rows: first their dependency (nil: the response is not shared) and what `meta` says of them, then each
  /// of them.
  var read: Read

  func reply() -> Reply {
    let (context, format, paging) = (request.context, request.format, request.paging)
    let page: @Sendable () throws(APIError) -> EndpointResponse = { () throws(APIError) in
      try self.page(paging)
    }
    switch (request.address, format) {
    case (.stream, _): return context.followed(request.key, page)
    case (_, .page):
      // A later page depends on the host that it was asked from, through the link to the next one.
      return paging == Paging() ? context.shared(request.key, page) : context.blocking(page)
    case _ where isShort: return context.shared(request.key) { () throws(APIError) in try short() }
    default:
      return context.streaming { pieces in
        pieces.begin(contentType: format.contentType)
        try write(.client, begin: { _ in }, piece: { try pieces.write($0) })
      }
    }
  }

  /// The response of another format than pages, in memory.
  private func short() throws(APIError) -> EndpointResponse {
    let start = ContinuousClock.now
    var body: [UInt8] = []
    var standing: ResultContext?
    do {
      try write(.memory, begin: { standing = $0 }, piece: { body += $0 })
    } catch {
      throw error as? APIError ?? .unexpected
    }
    return EndpointResponse(
      body: body,
      contentType: request.format.contentType,
      isRevalidated: true,
      dependency: standing.map { CacheDependency($0, rows: body) },
      timings: [("db", ContinuousClock.now - start)]
    )
  }

  private func write(_ pace: Pace, begin: (ResultContext?) -> Void, piece: ([UInt8]) throws -> Void) throws {
    let display = request.display
    switch request.format {
    case .csv:
      let columns = ColumnList(of: sample)
      try write(pace, CSVRecords(columns, escapesFormulas: display.escapesFormulas), begin, piece)
    case .ndjson:
      try write(pace, JSONRecords(.lines, integers: display.integers), begin, piece)
    case .records, .page:
      try write(pace, JSONRecords(.array, integers: display.integers), begin, piece)
    }
  }

  private func write<Writer: RecordWriter>(
    _ pace: Pace,
    _ writer: Writer,
    _ begin: (ResultContext?) -> Void,
    _ piece: ([UInt8]) throws -> Void
  ) throws {
    var writer = writer
    try translated { () throws in
      try read(
        pace,
        { standing, _ in begin(standing) },
        { row throws in
          row.write(to: &writer)
          if writer.count >= ResponsePieces.pieceLength { try piece(writer.take()) }
        }
      )
      try piece(writer.finish())
    }
  }

  private func page(_ paging: Paging) throws(APIError) -> EndpointResponse {
    let start = ContinuousClock.now
    if let cursor = paging.cursor {
      guard cursor.instance == kept.instance else { throw .cursorGone(isElsewhere: true) }
      guard let (result, query) = kept.find(cursor.result) else {
        throw .cursorGone(isElsewhere: false)
      }
      guard query == request.key.bytes, cursor.position < result.ends.count else { throw .foreignCursor }
      return answer(
        result,
        from: cursor.position,
        limit: paging.limit,
        key: cursor.result,
        since: start,
        readAt: start
      )
    }
    var writer = EnvelopeWriter(integers: request.display.integers)
    var meta = JSONWriter()
    var standing: ResultContext?
    do {
      try translated { () throws in
        try read(
          .memory,
          { stands, write in
            standing = stands
            meta.object { json in
              write(&json)
              writeColumns(to: &json)
            }
          },
          { row throws in try writer.add(row) }
        )
      }
    } catch {
      throw error as? APIError ?? .unexpected
    }
    let readAt = ContinuousClock.now
    let result = writer.result(meta: meta.bytes)
    let isWhole = result.ends.count <= paging.limit ?? .max
    let key = isWhole ? ResultKey(high: 0, low: 0) : kept.keep(result, query: request.key.bytes)
    var answer = answer(result, from: 0, limit: paging.limit, key: key, since: start, readAt: readAt)
    answer.dependency = standing.map { CacheDependency($0, rows: result.records) }
    return answer
  }

  private func answer(
    _ result: EncodedResult,
    from row: Int,
    limit: Int?,
    key: ResultKey,
    since start: ContinuousClock.Instant,
    readAt: ContinuousClock.Instant
  ) -> EndpointResponse {
    let end = min(result.ends.count, limit.map { row + $0 } ?? .max)
    let next = end < result.ends.count ? Cursor(instance: kept.instance, result: key, position: end) : nil
    let body = result.page(
      rows: row..<end,
      next: next.map { (url: request.context.link(cursor: $0), cursor: $0.text) }
    )
    return EndpointResponse(
      body: body,
      contentType: request.format.contentType,
      isRevalidated: true,
      timings: [("db", readAt - start), ("json", ContinuousClock.now - readAt)]
    )
  }

  /// The columns' names and types, in the order of the rows' fields, so that a client can build its table before the
  /// first row, and also when there is none.
  private func writeColumns(to json: inout JSONWriter) {
    json.name("columns")
    json.array { json in
      for (name, type) in ColumnList(of: sample).columns {
        json.object { json in
          json.name("name")
          json.string(name)
          json.name("type")
          json.string(type)
        }
      }
    }
  }

  /// The store's errors become the client's, and are observed where the client is not to blame.
  private func translated(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as CountStoreError {
      if error.unavailability != nil { observe(.queryFailed(path: request.context.path, error)) }
      throw APIError(error)
    }
  }
}
