import CountStore

/// Rows on their way from the store to the client: what all endpoints that answer rows have in common.
struct Listing<Row: Record & Sendable>: Sendable {
  /// At whose pace rows are read: into memory at once, or as the client takes them.
  typealias Read =
    @Sendable (
      _ pace: Pace,
      _ begin: (_ meta: (inout JSONWriter) -> Void) throws -> Void,
      _ row: (Row) throws -> Void
    ) throws -> Void

  var asked: Asked
  var format: Format
  /// The same for every way to ask the same question: the pages of one result are asked for alike.
  var canonicalQuery: String
  var display: Display
  /// Any row: for the columns, which are told also when there is none.
  var sample: Row
  var kept: KeptResults
  var observe: Observe
  /// Reads the rows: first what `meta` says of them, then each of them.
  var read: Read

  func outcome() throws(APIError) -> Answer.Outcome {
    let paging = try Paging(asked.parameters, format: format)
    let question = "\(asked.path)?\(canonicalQuery)"
    switch format {
    case .page:
      return .blocking { () throws(APIError) in try page(paging, question: question) }
    case .records, .csv, .ndjson:
      return .streaming { pieces in
        pieces.begin(contentType: format.contentType)
        switch format {
        case .csv:
          try stream(
            CSVRecords(ColumnList(of: sample), escapesFormulas: display.escapesFormulas),
            to: &pieces
          )
        case .ndjson: try stream(JSONRecords(.lines, integers: display.integers), to: &pieces)
        default: try stream(JSONRecords(.array, integers: display.integers), to: &pieces)
        }
      }
    }
  }

  private func stream<Writer: RecordWriter>(_ writer: Writer, to pieces: inout AnswerPieces) throws {
    var writer = writer
    try translated { () throws in
      try read(
        .client,
        { _ in },
        { row throws in
          row.write(to: &writer)
          if writer.count >= AnswerPieces.pieceLength { try pieces.write(writer.take()) }
        }
      )
      try pieces.write(writer.finish())
    }
  }

  private func page(_ paging: Paging, question: String) throws(APIError) -> Answer {
    let start = ContinuousClock.now
    if let cursor = paging.cursor {
      guard cursor.instance == kept.instance else { throw .cursorGone(isElsewhere: true) }
      guard let (result, itsQuestion) = kept.find(cursor.result) else {
        throw .cursorGone(isElsewhere: false)
      }
      guard itsQuestion == question, cursor.row < result.ends.count else { throw .foreignCursor }
      return answer(
        result,
        from: cursor.row,
        limit: paging.limit,
        key: cursor.result,
        since: start,
        readAt: start
      )
    }
    var writer = PageWriter(integers: display.integers)
    var meta = JSONWriter()
    do {
      try translated { () throws in
        try read(
          .memory,
          { write in
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
    let key = isWhole ? KeptResults.Key(high: 0, low: 0) : kept.keep(result, question: question)
    return answer(result, from: 0, limit: paging.limit, key: key, since: start, readAt: readAt)
  }

  private func answer(
    _ result: EncodedResult,
    from row: Int,
    limit: Int?,
    key: KeptResults.Key,
    since start: ContinuousClock.Instant,
    readAt: ContinuousClock.Instant
  ) -> Answer {
    let end = min(result.ends.count, limit.map { row + $0 } ?? .max)
    let next = end < result.ends.count ? Cursor(instance: kept.instance, result: key, row: end) : nil
    let body = result.page(rows: row..<end, next: next.map { (url: asked.link(cursor: $0), cursor: $0.text) })
    return Answer(
      body: body,
      contentType: format.contentType,
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
      if error.trouble != nil { observe(.questionFailed(path: asked.path, error)) }
      throw APIError(error)
    }
  }
}
