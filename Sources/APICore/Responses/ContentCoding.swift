import Compression
package import HTTP

/// The content coding of a response (RFC 9110 §8.4): gzip, or none. `AcceptEncoding` decides whether a client takes it.
package enum ContentCoding {
  /// A smaller body fits into one packet anyway.
  package static let smallestBody = 1024

  /// The response with its body as gzip; nil if that is not worth it, or the response is coded already.
  package static func gzip(_ response: Response) -> Response? {
    guard response.body.count >= smallestBody, !response.fields.contains("Content-Encoding") else {
      return nil
    }
    let body = GzipEncoder.encode(response.body)
    guard body.count < response.body.count else { return nil }
    var coded = response
    coded.body = body
    coded.fields.append("Content-Encoding", "gzip")
    return coded
  }
}
