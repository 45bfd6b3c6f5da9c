/// What an `Accept` field allows (RFC 9110 §12.5.1).
enum Accept {
  /// Whether a JSON answer is acceptable: the most specific range that covers `application/json` decides.
  ///
  /// Parameters other than `q` are not looked at: `application/json;odata.metadata=minimal` covers it too.
  /// What cannot be read is skipped; an absent or empty field accepts everything.
  static func allowsJSON(_ field: String?) -> Bool {
    var best: (specificity: Int, isWanted: Bool)?
    var isEmpty = true
    for element in (field ?? "").split(separator: ",") {
      let parts = element.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
      guard let range = parts.first, !range.isEmpty else { continue }
      isEmpty = false
      guard let specificity = ["*/*", "application/*", "application/json"].firstIndex(of: range) else {
        continue
      }
      let isWanted = !parts.dropFirst().contains { isZeroWeight($0) }
      if let known = best,
        known.specificity > specificity || (known.specificity == specificity && known.isWanted)
      {
        continue
      }
      best = (specificity, isWanted)
    }
    return isEmpty || best?.isWanted == true
  }

  /// `q=0`, `q=0.0`, …: not acceptable.
  private static func isZeroWeight(_ parameter: String) -> Bool {
    parameter.hasPrefix("q=0") && parameter.dropFirst(3).allSatisfy { $0 == "0" || $0 == "." }
  }
}
