import APICore

/// What `Prefer` asks for (RFC 7240; OData Part 1, 8.2.8), as far as it is heeded.
struct ODataPreferences: Equatable {
  /// The most entities that a page may have.
  var maximumPageSize: Int?

  /// What cannot be read is ignored, as a preference is no demand; so is a second one of the same name.
  init(_ lines: [String]) {
    for preference in lines.joined(separator: ",").split(separator: ",") {
      let pair = preference.prefix { $0 != ";" }.split(separator: "=", maxSplits: 1)
        .map { $0.filter { $0 != " " && $0 != "\t" && $0 != "\"" }.lowercased() }
      // OData 4.01 leaves the prefix out.
      guard pair.count == 2, pair[0] == "odata.maxpagesize" || pair[0] == "maxpagesize" else { continue }
      guard maximumPageSize == nil, let size = DecimalInteger.parse(pair[1]), size > 0 else { continue }
      maximumPageSize = Int(clamping: size)
    }
  }
}
