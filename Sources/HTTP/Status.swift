/// A three-digit status code (RFC 9110 §15).
public struct Status: RawRepresentable, Hashable, Sendable {
  /// The code, 100…999.
  public let rawValue: Int

  /// Takes any three-digit code; another number is a mistake in our own program, and traps.
  public init(rawValue: Int) {
    precondition((100...999).contains(rawValue), "a status code has three digits")
    self.rawValue = rawValue
  }

  /// The words after the code in the status line, from IANA's registry; empty for a code without an entry here.
  public var reason: String { Status.reasons[rawValue] ?? "" }

  /// Whether a response of this status has no content by definition (RFC 9110 §6.4.1): 1xx, 204, 304.
  public var isWithoutContent: Bool { rawValue < 200 || rawValue == 204 || rawValue == 304 }
}

extension Status: CustomStringConvertible {
  /// The code and its words, as in a status line.
  public var description: String { reason.isEmpty ? "\(rawValue)" : "\(rawValue) \(reason)" }
}

extension Status {
  /// 100: the client may send the content (RFC 9110 §10.1.1).
  public static let `continue` = Status(rawValue: 100)
  /// 200.
  public static let ok = Status(rawValue: 200)
  /// 201.
  public static let created = Status(rawValue: 201)
  /// 204.
  public static let noContent = Status(rawValue: 204)
  /// 206.
  public static let partialContent = Status(rawValue: 206)
  /// 301.
  public static let movedPermanently = Status(rawValue: 301)
  /// 302.
  public static let found = Status(rawValue: 302)
  /// 303.
  public static let seeOther = Status(rawValue: 303)
  /// 304: the client's stored answer is still right.
  public static let notModified = Status(rawValue: 304)
  /// 307.
  public static let temporaryRedirect = Status(rawValue: 307)
  /// 400: the request is malformed.
  public static let badRequest = Status(rawValue: 400)
  /// 401: credentials are missing or wrong; goes with `WWW-Authenticate`.
  public static let unauthorized = Status(rawValue: 401)
  /// 403.
  public static let forbidden = Status(rawValue: 403)
  /// 404.
  public static let notFound = Status(rawValue: 404)
  /// 405: goes with `Allow`.
  public static let methodNotAllowed = Status(rawValue: 405)
  /// 406.
  public static let notAcceptable = Status(rawValue: 406)
  /// 408: the client took too long to send its request.
  public static let requestTimeout = Status(rawValue: 408)
  /// 409.
  public static let conflict = Status(rawValue: 409)
  /// 410.
  public static let gone = Status(rawValue: 410)
  /// 412.
  public static let preconditionFailed = Status(rawValue: 412)
  /// 413: the request's content is larger than the limit.
  public static let contentTooLarge = Status(rawValue: 413)
  /// 414: the request line is longer than the limit.
  public static let uriTooLong = Status(rawValue: 414)
  /// 415.
  public static let unsupportedMediaType = Status(rawValue: 415)
  /// 417: an `Expect` other than `100-continue`.
  public static let expectationFailed = Status(rawValue: 417)
  /// 421.
  public static let misdirectedRequest = Status(rawValue: 421)
  /// 422.
  public static let unprocessableContent = Status(rawValue: 422)
  /// 429: goes with `Retry-After`.
  public static let tooManyRequests = Status(rawValue: 429)
  /// 431: the header section is larger than the limits (RFC 6585 §5).
  public static let requestHeaderFieldsTooLarge = Status(rawValue: 431)
  /// 500.
  public static let internalServerError = Status(rawValue: 500)
  /// 501: a method or transfer coding that the server does not know.
  public static let notImplemented = Status(rawValue: 501)
  /// 502.
  public static let badGateway = Status(rawValue: 502)
  /// 503: goes with `Retry-After`.
  public static let serviceUnavailable = Status(rawValue: 503)
  /// 504.
  public static let gatewayTimeout = Status(rawValue: 504)
  /// 505: a protocol version other than HTTP/1.0 and HTTP/1.1.
  public static let httpVersionNotSupported = Status(rawValue: 505)

  private static let reasons: [Int: String] = [
    100: "Continue", 200: "OK", 201: "Created", 202: "Accepted", 204: "No Content", 206: "Partial Content",
    301: "Moved Permanently", 302: "Found", 303: "See Other", 304: "Not Modified", 307: "Temporary Redirect",
    400: "Bad Request", 401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed",
    406: "Not Acceptable", 408: "Request Timeout", 409: "Conflict", 410: "Gone", 412: "Precondition Failed",
    413: "Content Too Large", 414: "URI Too Long", 415: "Unsupported Media Type", 417: "Expectation Failed",
    421: "Misdirected Request", 422: "Unprocessable Content", 429: "Too Many Requests",
    431: "Request Header Fields Too Large", 500: "Internal Server Error", 501: "Not Implemented",
    502: "Bad Gateway", 503: "Service Unavailable", 504: "Gateway Timeout", 505: "HTTP Version Not Supported",
  ]
}
