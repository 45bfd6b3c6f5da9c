import APICore
import HTTP

/// One response in the forms in which it is given out, made once: nothing is encoded or compressed for a hit.
final class SharedResponse: Sendable {
  /// What one client wants of it.
  struct Wish: Sendable {
    var acceptsGzip: Bool
    var ifNoneMatch: [String]

    init(_ fields: Fields) {
      acceptsGzip = AcceptEncoding.acceptsGzip(fields)
      ifNoneMatch = fields.contains("If-None-Match") ? fields.values(of: "If-None-Match") : []
    }
  }

  /// The plain 200 response, with the time that it took.
  private let fresh: Response
  private let plain: Response
  private let gzip: Response?
  private let notModified: Response
  private let tag: EntityTag?
  /// What the response depends on.
  let dependency: CacheDependency?
  /// The number of the last change that its query included.
  let sequence: UInt64
  /// When its labels are too old.
  let expiry: ContinuousClock.Instant
  /// Whether a client that takes gzip gets the best there is.
  let suitsGzip: Bool

  /// - Parameter response: a 200, without any content coding.
  init(
    _ response: Response,
    dependency: CacheDependency?,
    sequence: UInt64,
    begun: ContinuousClock.Instant,
    wantsGzip: Bool
  ) {
    fresh = response
    self.dependency = dependency
    self.sequence = sequence
    expiry = begun + (dependency?.life ?? .zero)
    var plain = response
    plain.fields.set("Server-Timing", "cache;dur=0.000, total;dur=0.000")
    self.plain = plain.prepared()
    gzip = wantsGzip ? ContentCoding.gzip(plain)?.prepared() : nil
    suitsGzip = wantsGzip || plain.body.count < ContentCoding.smallestBody
    tag = response.fields["ETag"].flatMap(EntityTag.init(text:))
    // What a cache must know again (RFC 9110 §15.4.5). A weak tag is the same in each coding (§8.8.1).
    notModified = Response(
      status: .notModified,
      fields: plain.fields.without("Content-Type")
    ).prepared()
  }

  /// The content, without coding.
  var body: [UInt8] { plain.body }

  /// Roughly what it takes in memory.
  var bytes: Int { plain.body.count + (gzip?.body.count ?? 0) + 2048 }

  /// The response for one client: from memory, or for one that has waited for it.
  func response(to wish: Wish, isFresh: Bool = false) -> Response {
    if let tag, wish.ifNoneMatch.contains(where: { tag.isNamed(by: $0) }) { return notModified }
    if wish.acceptsGzip, let gzip { return gzip }
    return isFresh ? fresh : plain
  }
}

extension Fields {
  fileprivate func without(_ name: String) -> Fields {
    var rest = self
    rest.remove(name)
    return rest
  }
}
