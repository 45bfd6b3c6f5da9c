import APICore
import CountStore
import HTTP

/// Collections: streamed as a whole from one snapshot, or, where pages are asked for, held and handed out.
extension ODataService {
  /// Why a collection ends before its end.
  private enum Interruption: Error {
    case store(CountStoreError)
    case client(StreamBroken)
  }

  private static let pieceBytes = 32 << 10

  func collection(_ set: ODataEntitySet, _ request: ODataRequest, _ frame: ODataFrame) throws(ODataError)
    -> Reply
  {
    if let token = request.options[.skiptoken] { return try page(token, request, frame) }
    let context = try ODataQuery(set, request.options)
    var query = context.query
    let shown = query.columns.count
    // With full metadata each entity says its address, which its key is a part of.
    let hasKeys = request.format.metadata == .full && context.hasEntities
    if hasKeys { query.columns += set.view.key }
    let payload = ODataPayload(
      root: request.root,
      set: set,
      format: request.format,
      projection: context.projection,
      hasEntities: context.hasEntities,
      columns: context.query.columns
    )
    let pageSize = request.preferences.maximumPageSize
    return .streaming { [query] stream throws(StreamBroken) in
      var output = ODataOutput(stream, frame, contentType: request.format.contentType)
      var interruption: Interruption?
      do throws(CountStoreError) {
        try self.stream(query) { rows in
          do throws(Interruption) {
            try send(rows, payload, shown: shown, pageSize: pageSize, request, &output)
          } catch {
            interruption = error
          }
        }
      } catch {
        interruption = .store(error)
      }
      switch interruption {
      case nil: return
      case .client(let broken): throw broken
      case .store(let error):
        observe(.tableFailed(error))
        try output.fail(ODataError(APIError(error)))
      }
    }
  }

  private func send(
    _ rows: BIRows,
    _ payload: ODataPayload,
    shown: Int,
    pageSize: Int?,
    _ request: ODataRequest,
    _ output: inout ODataOutput
  ) throws(Interruption) {
    let head = payload.head(count: rows.count)
    var pages = ODataPages(size: pageSize ?? .max)
    var isPaged = pageSize != nil
    var isFirst = true
    if !isPaged { output.append(head) }
    while let row = try Self.next(rows) {
      let bytes = payload.row(row, key: Array(row[shown...]))
      if isPaged {
        pages.append(bytes)
        guard pages.bytes > held.capacity / 2 else { continue }
        // Too much to be held; a page size is a preference, so the whole is sent from this one snapshot.
        isPaged = false
        output.append(head)
        for (number, page) in pages.pages.enumerated() {
          if number > 0 { output.append([UInt8(ascii: ",")]) }
          output.append(page)
          if output.size >= Self.pieceBytes { try Self.flush(&output) }
        }
        pages = ODataPages(size: .max)
        isFirst = false
      } else {
        if !isFirst { output.append([UInt8(ascii: ",")]) }
        isFirst = false
        output.append(bytes)
      }
      if output.size >= Self.pieceBytes { try Self.flush(&output) }
    }
    var next: String?
    if isPaged {
      output.pageSize = pageSize
      output.append(head)
      output.append(pages.pages.first ?? [])
      if pages.pages.count > 1 {
        let result = ODataResult(
          head: head,
          pages: pages.pages,
          contentType: request.format.contentType
        )
        let key = held.keep(result, query: Array(request.canonicalTarget.utf8))
        next = request.link(to: Cursor(instance: held.instance, result: key, position: 1))
      }
    }
    output.append(ODataPayload.tail(next: next))
    do { try output.finish() } catch { throw .client(error) }
  }

  private static func flush(_ output: inout ODataOutput) throws(Interruption) {
    do { try output.flush() } catch { throw .client(error) }
  }

  private static func next(_ rows: BIRows) throws(Interruption) -> [BIValue]? {
    do { return try rows.next() } catch { throw .store(error) }
  }

  /// A later page of a result that is held.
  private func page(_ token: String, _ request: ODataRequest, _ frame: ODataFrame) throws(ODataError)
    -> Reply
  {
    guard let cursor = Cursor(text: token) else {
      throw .malformed("$skiptoken", "It is not one that this service has given.")
    }
    guard cursor.instance == held.instance else { throw .pagesGone }
    let index = cursor.position
    // To look for it and to write it take a while: not on the event loop.
    return .blocking {
      do throws(ODataError) {
        guard let (result, query) = held.find(cursor.result) else { throw .pagesGone }
        guard query.elementsEqual(request.canonicalTarget.utf8), index < result.pages.count else {
          throw .malformed("$skiptoken", "It does not belong to this address.")
        }
        var following = cursor
        following.position += 1
        let next = following.position < result.pages.count ? request.link(to: following) : nil
        return frame.response(
          result.head + result.pages[index] + ODataPayload.tail(next: next),
          result.contentType
        )
      } catch {
        return frame.response(error)
      }
    }
  }
}

extension ODataService {
  /// A response of one row or none, made on a worker thread.
  func blocking(
    _ query: BIQuery,
    _ frame: ODataFrame,
    _ answer: @escaping @Sendable (BIRows) throws(ODataError) -> Response
  ) -> Reply {
    .blocking {
      var response: Response?
      do throws(CountStoreError) {
        try read(query) { rows in
          do throws(ODataError) { response = try answer(rows) } catch { response = frame.response(error) }
        }
      } catch {
        observe(.tableFailed(error))
        return frame.response(ODataError(APIError(error)))
      }
      return response ?? frame.response(ODataError(.unexpected))
    }
  }
}
