/// The address of a script on another server, or on this one: what a page and its security policy both name.
struct ScriptAddress: Equatable, Sendable {
  /// As it stands in the page.
  let text: String
  /// What the policy allows: the very script, or 'self' for one of this server.
  let source: String

  /// Takes `https://…`, `http://…`, or a path such as `/tableau.js`; of the characters that an address has, without
  /// those that would end an attribute, a source or a directive.
  init?(_ text: String) {
    let allowed = text.utf8.allSatisfy { byte in
      byte > 0x20 && byte < 0x7f && !#""'<>;,\`^{}|?#&"#.utf8.contains(byte)
    }
    let isAbsolute = ["https://", "http://"].contains { text.hasPrefix($0) && text.count > $0.count }
    guard allowed, isAbsolute || (text.hasPrefix("/") && !text.hasPrefix("//")) else { return nil }
    self.text = text
    source = isAbsolute ? text : "'self'"
  }

  /// The page with the address where it says so.
  func placed(in page: [UInt8]) -> [UInt8] {
    Array(String(decoding: page, as: UTF8.self).replacing("{{tableau-script}}", with: text).utf8)
  }
}
