import APICore
import JSONText

/// What an `Accept` field allows (RFC 9110 §12.5.1).
enum Accept {
  /// A media range of the field: how much it wants what it covers, in thousandths.
  private struct Range {
    var type: Substring
    var subtype: Substring
    var weight: Int

    /// How exactly the range covers a media type: 2 for itself, 1 for `type/*`, 0 for `*/*`; nil if it does not.
    func specificity(for type: Substring, _ subtype: Substring) -> Int? {
      if self.type == "*" { return self.subtype == "*" ? 0 : nil }
      guard self.type == type else { return nil }
      return self.subtype == "*" ? 1 : self.subtype == subtype ? 2 : nil
    }
  }

  /// The offer that is wanted most; among equals the first. Nil if none is acceptable.
  ///
  /// For each offer the most specific range decides, and among those the one with the greatest weight. Parameters other
  /// than `q` are not looked at: `application/json;odata.metadata=minimal` covers `application/json` too. What cannot
  /// be read is skipped; an absent or empty field accepts everything.
  static func best(of offers: [String], for field: String?) -> Int? {
    let (ranges, isEmpty) = read(field ?? "")
    if isEmpty { return offers.isEmpty ? nil : 0 }
    var best: (index: Int, weight: Int)?
    for (index, offer) in offers.enumerated() {
      let parts = offer.split(separator: "/", maxSplits: 1)
      let weights = ranges.compactMap { range in
        range.specificity(for: parts[0], parts[1]).map { ($0, range.weight) }
      }
      guard let weight = weights.max(by: <)?.1, weight > 0, weight > best?.weight ?? 0 else { continue }
      best = (index, weight)
    }
    return best?.index
  }

  private static func read(_ field: String) -> (ranges: [Range], isEmpty: Bool) {
    var ranges: [Range] = []
    var isEmpty = true
    for element in field.lowercased().split(separator: ",") {
      let parts = element.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
      guard let name = parts.first, !name.isEmpty else { continue }
      isEmpty = false
      let types = name.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
      guard types.count == 2, !types[0].isEmpty, !types[1].isEmpty else { continue }
      let quality = parts.dropFirst().first { $0.hasPrefix("q=") }
      ranges.append(
        Range(type: types[0], subtype: types[1], weight: quality.map { weight($0.dropFirst(2)) } ?? 1000)
      )
    }
    return (ranges, isEmpty)
  }

  /// `0`, `1`, `0.5`, `0.125` in thousandths (§12.4.2); whatever else counts as 1.
  private static func weight(_ text: Substring) -> Int {
    let parts = text.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
    guard parts[0] == "0" else { return 1000 }
    guard parts.count == 2 else { return 0 }
    let digits = parts[1].utf8.prefix(3)
    guard parts[1].utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else {
      return 1000
    }
    let padded = Array(digits) + Array(repeating: UInt8(ascii: "0"), count: 3 - digits.count)
    return padded.reduce(0) { $0 * 10 + Int($1 - UInt8(ascii: "0")) }
  }

  private static func trimmed(_ text: Substring) -> Substring {
    var text = text
    while let first = text.first, first == " " || first == "\t" { text.removeFirst() }
    while let last = text.last, last == " " || last == "\t" { text.removeLast() }
    return text
  }
}
