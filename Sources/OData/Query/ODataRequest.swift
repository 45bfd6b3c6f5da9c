import APICore
import HTTP

/// A request to the service, understood as far as it can be without asking the database.
struct ODataRequest {
  var path: ODataPath
  var options: ODataOptions
  var format: ODataFormat
  var preferences: ODataPreferences
  /// The absolute address of the service, with a slash at its end.
  var root: String
  /// The address that was asked for without what belongs to this one request: its token and its credential.
  var canonicalTarget: String

  /// - Parameter origin: what comes before an absolute path in links.
  init(_ request: Request, origin: String) throws(ODataError) {
    let items: [(name: String, value: String)]
    do {
      items = try request.target.queryItems()
    } catch {
      throw .malformed(error.name.map(APIError.clipped), "The query cannot be read: \(error.detail).")
    }
    try Self.checkVersion(request.fields["OData-MaxVersion"])
    options = try ODataOptions(items)
    path = try ODataPath(request.target.decodedPath, aliases: options.aliases)
    format = try ODataFormat(
      Self.kind(path),
      format: options[.format],
      accept: request.fields.values(of: "Accept")
    )
    preferences = ODataPreferences(request.fields.values(of: "Prefer"))
    root = origin + ODataPath.root + "/"
    canonicalTarget = Self.canonical(request.target)
  }

  /// A client that understands nothing as new as 4.0 gets no response that it might misread.
  private static func checkVersion(_ maximum: String?) throws(ODataError) {
    guard let maximum, let version = Double(maximum), version < 4 else { return }
    throw .malformed("OData-MaxVersion", "The service speaks OData 4.0.")
  }

  private static func kind(_ path: ODataPath) -> ODataFormat.Kind {
    switch path {
    case .metadata: .metadata
    case .count, .value: .text
    case .serviceDocument, .collection, .entity, .property: .data
    }
  }

  private static func canonical(_ target: Target) -> String {
    let all = target.rawPathAndQuery
    guard let mark = all.firstIndex(of: "?") else { return all }
    let kept = all[all.index(after: mark)...].split(separator: "&").filter { item in
      let name = item.prefix { $0 != "=" }.lowercased()
      return !["$skiptoken", "%24skiptoken", "skiptoken", "api_key"].contains(name)
    }
    return all[..<mark] + (kept.isEmpty ? "" : "?" + kept.joined(separator: "&"))
  }

  /// The address of a later page.
  func link(to cursor: Cursor) -> String {
    let origin = root.dropLast(ODataPath.root.utf8.count + 1)
    return "\(origin)\(canonicalTarget)\(canonicalTarget.contains("?") ? "&" : "?")$skiptoken=\(cursor.text)"
  }
}
