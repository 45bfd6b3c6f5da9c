/// The content codings that a request accepts (RFC 9110 §12.5.3).
public enum AcceptEncoding {
  /// Whether a client accepts gzip: the weight of `gzip` (or `x-gzip`), else that of `*`, is above zero, and not below
  /// that of `identity`. What cannot be read is skipped.
  public static func acceptsGzip(_ fields: Fields) -> Bool {
    // Most requests have no such field, or one that begins so.
    guard let first = fields.firstBytes(of: "Accept-Encoding") else { return false }
    if first.elementsEqual("gzip".utf8) { return true }
    return acceptsGzip(fields.values(of: "Accept-Encoding"))
  }

  private static func acceptsGzip(_ values: [String]) -> Bool {
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
}
