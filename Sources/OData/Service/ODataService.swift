public import APICore
public import CountStore
public import HTTP
import JSONText

/// The OData 4.0 service at `/odata/v4/`: reading, at the Intermediate conformance level.
public struct ODataService: Sendable {
  /// Answers one query from one snapshot, handing its rows to the closure; it may block.
  public typealias Read = @Sendable (BIQuery, (BIRows) -> Void) throws(CountStoreError) -> Void

  private static let methods: [Method] = [.get, .head, .options]

  let read: Read
  let stream: Read
  let observe: Observe
  let held: ResultSets<ODataResult>

  /// - Parameters:
  ///   - read: asked on worker threads, for an entity or a number.
  ///   - stream: as `read`, for collections, whose rows are taken as fast as the client reads; nil: the same.
  ///   - memoryBytes: the most memory that the later pages of paged results take; a result that does not fit is sent as
  ///     a whole.
  ///   - observe: receives what the database could not answer.
  public init(
    read: @escaping Read,
    stream: Read? = nil,
    memoryBytes: Int = 128 << 20,
    observe: @escaping Observe = { _ in }
  ) {
    self.read = read
    self.stream = stream ?? read
    self.observe = observe
    held = ResultSets(capacity: memoryBytes)
  }

  /// Where the service is.
  public static let root = ODataPath.root

  /// Whether a path, decoded, belongs to the service.
  public static func owns(_ path: String) -> Bool {
    path == ODataPath.root || path.hasPrefix(ODataPath.root + "/")
  }

  /// Answers one request.
  /// - Parameter origin: what comes before an absolute path in links, such as `https://example.com`.
  public func handle(_ request: Request, origin: String) -> Reply {
    let frame = ODataFrame(request)
    do throws(ODataError) {
      switch request.method {
      case .options: return .ready(frame.options(Self.methods))
      case .get, .head: break
      default: throw ODataError(.wrongMethod(allowed: Self.methods))
      }
      let request = try ODataRequest(request, origin: origin)
      switch request.path {
      case .serviceDocument: return try serviceDocument(request, frame)
      case .metadata: return try metadata(request, frame)
      case .collection(let set): return try collection(set, request, frame)
      case .count(let set): return try count(set, request, frame)
      case .entity(let set, let key): return try entity(set, key, request, frame)
      case .property(let set, let key, let column): return try property(set, key, column, request, frame)
      case .value(let set, let key, let column): return try value(set, key, column, request, frame)
      }
    } catch {
      return .ready(frame.response(error))
    }
  }

  private func serviceDocument(_ request: ODataRequest, _ frame: ODataFrame) throws(ODataError) -> Reply {
    try request.options.allow([.format])
    var json = JSONWriter()
    json.object { json in
      if request.format.metadata != .none {
        json.name("@odata.context")
        json.string(request.root + "$metadata")
      }
      json.name("value")
      json.array { json in
        for set in ODataEntitySet.all {
          json.object { json in
            json.name("name")
            json.string(set.name)
            json.name("kind")
            json.string("EntitySet")
            json.name("url")
            json.string(set.name)
          }
        }
      }
    }
    return .ready(frame.response(json.bytes, request.format.contentType))
  }

  private func metadata(_ request: ODataRequest, _ frame: ODataFrame) throws(ODataError) -> Reply {
    try request.options.allow([.format])
    let isXML = request.format.type == .xml
    return .ready(
      frame.response(
        isXML ? ODataMetadata.xml : ODataMetadataJSON.document,
        isXML ? "application/xml" : "application/json"
      )
    )
  }

  private func count(_ set: ODataEntitySet, _ request: ODataRequest, _ frame: ODataFrame) throws(ODataError)
    -> Reply
  {
    // Order and cuts have no effect on it (OData Part 1, 11.2.9).
    try request.options.allow([.filter, .apply, .format, .orderby, .top, .skip, .select, .count])
    var query = try ODataQuery(set, request.options).query
    query.isCounted = true
    query.limit = 0
    return blocking(query, frame) { rows throws(ODataError) in
      frame.response(Array("\(rows.count ?? 0)".utf8), request.format.contentType)
    }
  }

  private func entity(
    _ set: ODataEntitySet,
    _ key: [BIValue],
    _ request: ODataRequest,
    _ frame: ODataFrame
  ) throws(ODataError) -> Reply {
    try request.options.allow([.select, .format])
    let query = try ODataQuery(set, key: key, request.options)
    let payload = ODataPayload(
      root: request.root,
      set: set,
      format: request.format,
      projection: query.projection,
      columns: query.query.columns
    )
    return blocking(query.query, frame) { rows throws(ODataError) in
      frame.response(payload.entity(try Self.one(rows), key: key), request.format.contentType)
    }
  }

  private func property(
    _ set: ODataEntitySet,
    _ key: [BIValue],
    _ column: BIColumn,
    _ request: ODataRequest,
    _ frame: ODataFrame
  ) throws(ODataError) -> Reply {
    try request.options.allow([.format])
    var query = try ODataQuery(set, key: key, request.options).query
    query.columns = [column]
    let payload = ODataPayload(root: request.root, set: set, format: request.format, columns: [column])
    return blocking(query, frame) { rows throws(ODataError) in
      let value = try Self.one(rows)[0]
      guard value != .null else { return frame.nothing() }
      return frame.response(payload.property(value, column, key: key), request.format.contentType)
    }
  }

  private func value(
    _ set: ODataEntitySet,
    _ key: [BIValue],
    _ column: BIColumn,
    _ request: ODataRequest,
    _ frame: ODataFrame
  ) throws(ODataError) -> Reply {
    try request.options.allow([.format])
    var query = try ODataQuery(set, key: key, request.options).query
    query.columns = [column]
    return blocking(query, frame) { rows throws(ODataError) in
      let value = try Self.one(rows)[0]
      return value == .null
        ? frame.nothing() : frame.response(ODataPayload.text(value), request.format.contentType)
    }
  }

  /// The one row of a key.
  private static func one(_ rows: BIRows) throws(ODataError) -> [BIValue] {
    let row: [BIValue]?
    do { row = try rows.next() } catch { throw ODataError(APIError(error)) }
    guard let row else { throw .notFound("There is no entity with this key.") }
    return row
  }
}
