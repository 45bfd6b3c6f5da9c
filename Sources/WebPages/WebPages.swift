public import HTTP

/// The pages for people: the live page, the connector for Tableau, the snippets for other tools. They are part of the
/// binary, hold no data, and take what they show from the API like any other client.
public struct WebPages: Sendable {
  /// Where Tableau's own script for web data connectors is loaded from by default.
  public static let tableauScript = "https://connectors.tableau.com/libs/tableauwdc-2.3.latest.js"

  private let files: [String: PageFile]

  /// - Parameter tableauScript: the address of Tableau's script; a server without a way out may serve a copy. Nil when
  ///   it is no address of a script.
  public init?(tableauScript: String = WebPages.tableauScript) {
    guard let script = ScriptAddress(tableauScript) else { return nil }
    files = PageFile.all(tableauScript: script)
  }

  /// The response, if the request is for a page. The query is the page's business: whatever it says, the bytes are the
  /// same.
  public func response(to request: Request) -> Response? {
    let path = request.target.decodedPath
    guard let file = files[path] else {
      return files[path + "/"] == nil ? nil : Self.folder(path, request)
    }
    switch request.method {
    case .get, .head: return file.response(to: request.fields)
    case .options: return Response(status: .noContent, fields: ["Allow": Self.methods])
    default:
      return Response(
        status: .methodNotAllowed,
        fields: ["Allow": Self.methods],
        text: "A page is only read.\n"
      )
    }
  }

  /// What requests for a page are called in metrics and logs: its path; nil for what is no page.
  public func routeName(of request: Request) -> String? {
    let path = request.target.decodedPath
    return files[path] == nil ? nil : path
  }

  private static let methods = "GET, HEAD, OPTIONS"

  /// `/bi` is meant as `/bi/`, against which the page's own links are resolved. Relative, as a proxy before us may
  /// have put the page elsewhere.
  private static func folder(_ path: String, _ request: Request) -> Response {
    let name = path.split(separator: "/").last.map(String.init) ?? ""
    let query = request.target.query.map { "?" + $0 } ?? ""
    return Response(status: .movedPermanently, fields: ["Location": name + "/" + query])
  }
}
