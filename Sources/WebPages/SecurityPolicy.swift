/// What a page may load and do (CSP Level 3). Item names come from outside: should one ever reach a page as markup,
/// it still runs nothing, loads nothing, and sends nothing away.
enum SecurityPolicy: Equatable {
  /// Only what this server sent, and in no frame of other pages.
  case page
  /// As well as Tableau's script, and what it does; Tableau's simulator shows a connector in a frame.
  case connector(ScriptAddress)

  /// The value of `Content-Security-Policy`.
  var text: String {
    switch self {
    case .page:
      "\(Self.own); script-src 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'"
    case .connector(let script):
      "\(Self.own); script-src 'self' \(script.source)"
    }
  }

  private static let own = """
    default-src 'none'; style-src 'self'; connect-src 'self'; img-src 'self' data:; base-uri 'none'; \
    form-action 'none'
    """
}
