import Compression
import HTTP

/// Which content coding a response gets (RFC 9110 §8.4, §12.5.3): gzip, or none.
enum ContentCoding {
  /// A smaller body fits into one packet anyway.
  static let smallestBody = 1024

  /// Whether a client takes gzip: the weight of `gzip` (or `x-gzip`), else that of `*`, is above zero, and not below
  /// that of `identity`. What cannot be read is skipped.
  static func acceptsGzip(_ fields: Fields) -> Bool {
    // Most requests have no such field, or one that begins so.
    guard let first = fields.firstBytes(of: "Accept-Encoding") else { return false }
    if first.elementsEqual("gzip".utf8) { return true }
    return acceptsGzip(fields.values(of: "Accept-Encoding"))
  }

  static func acceptsGzip(_ values: [String]) -> Bool {
    var weights: [String: Int] = [:]
    for element in values.flatMap({ $0.split(separator: ",") }) {
      let parts = element.split(separator: ";", omittingEmptySubsequences: false).map { part in
        part.filter { $0 != " " && $0 != "\t" }.lowercased()
      }
      guard let coding = parts.first, !coding.isEmpty, let weight = weight(parts.dropFirst()) else {
        continue
      }
      weights[coding == "x-gzip" ? "gzip" : coding] = weight
    }
    guard let gzip = weights["gzip"] ?? weights["*"], gzip > 0 else { return false }
    return gzip >= weights["identity"] ?? 0
  }

  /// In thousandths; 1000 without one, nil for what is none (RFC 9110 §12.4.2).
  private static func weight(_ parameters: some Collection<String>) -> Int? {
    guard let parameter = parameters.first(where: { $0.hasPrefix("q=") }) else { return 1000 }
    let digits = parameter.dropFirst(2)
    guard let whole = digits.first, whole == "0" || whole == "1" else { return nil }
    let rest = digits.dropFirst()
    guard rest.isEmpty || rest.first == "." else { return nil }
    let decimals = rest.dropFirst()
    guard decimals.count <= 3, decimals.allSatisfy({ $0.isASCII && $0.isNumber }) else { return nil }
    let padded = decimals + String(repeating: "0", count: 3 - decimals.count)
    guard let thousandths = Int(padded) else { return nil }
    return whole == "1" ? (thousandths == 0 ? 1000 : nil) : thousandths
  }

  /// The response with its body as gzip; nil if that is not worth it, or the response is coded already.
  static func gzip(_ response: Response) -> Response? {
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
