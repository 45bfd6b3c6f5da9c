import Compression
import HTTP

/// One file as it is sent: its bytes and all that stands before them.
struct PageFile: Sendable {
  private var body: [UInt8]
  /// The body as gzip, made once; nil where that is not smaller.
  private var gzip: [UInt8]?
  private var fields: Fields
  private var entityTag: String

  private init(_ body: [UInt8], _ contentType: String, _ policy: SecurityPolicy = .page) {
    self.body = body
    let coded = GzipEncoder.encode(body, level: 9)
    gzip = coded.count < body.count ? coded : nil
    entityTag = "W/\"" + Self.hash(body) + "\""
    fields = [
      "Content-Type": contentType,
      "Content-Security-Policy": policy.text,
      "X-Content-Type-Options": "nosniff",
      "Referrer-Policy": "no-referrer",
      "Cross-Origin-Opener-Policy": "same-origin",
      "Cache-Control": "no-cache",
      "Vary": "Accept-Encoding",
      "ETag": entityTag,
    ]
    if policy == .page { fields.append("X-Frame-Options", "DENY") }
  }

  func response(to request: Fields) -> Response {
    var fields = fields
    if let known = request["If-None-Match"], known == "*" || known.contains(entityTag.dropFirst(2)) {
      fields.remove("Content-Type")
      return Response(status: .notModified, fields: fields)
    }
    guard let gzip, AcceptEncoding.acceptsGzip(request) else {
      return Response(status: .ok, fields: fields, body: body)
    }
    fields.append("Content-Encoding", "gzip")
    return Response(status: .ok, fields: fields, body: gzip)
  }

  /// 64-bit FNV-1a: the same on every server of this version.
  private static func hash(_ bytes: [UInt8]) -> String {
    String(
      bytes.reduce(0xcbf2_9ce4_8422_2325 as UInt64) { ($0 ^ UInt64($1)) &* 0x0000_0100_0000_01b3 },
      radix: 16
    )
  }
}

extension PageFile {
  /// Every file, by the path that it is asked for.
  static func all(tableauScript: ScriptAddress) -> [String: PageFile] {
    let html = "text/html; charset=utf-8"
    let css = "text/css; charset=utf-8"
    let script = "text/javascript; charset=utf-8"
    return [
      "/": PageFile(PackageResources.live_html, html),
      "/bi/": PageFile(PackageResources.bi_html, html),
      "/wdc/": PageFile(
        tableauScript.placed(in: PackageResources.wdc_html),
        html,
        .connector(tableauScript)
      ),
      "/assets/icon.svg": PageFile(PackageResources.icon_svg, "image/svg+xml"),
      "/assets/pages.css": PageFile(PackageResources.pages_css, css),
      "/assets/live.css": PageFile(PackageResources.live_css, css),
      "/assets/bi.css": PageFile(PackageResources.bi_css, css),
      "/assets/theme.js": PageFile(PackageResources.theme_js, script),
      "/assets/live.js": PageFile(PackageResources.live_js, script),
      "/assets/answer.js": PageFile(PackageResources.answer_js, script),
      "/assets/board.js": PageFile(PackageResources.board_js, script),
      "/assets/controls.js": PageFile(PackageResources.controls_js, script),
      "/assets/events.js": PageFile(PackageResources.events_js, script),
      "/assets/feed.js": PageFile(PackageResources.feed_js, script),
      "/assets/freshness.js": PageFile(PackageResources.freshness_js, script),
      "/assets/server.js": PageFile(PackageResources.server_js, script),
      "/assets/sparklines.js": PageFile(PackageResources.sparklines_js, script),
      "/assets/table.js": PageFile(PackageResources.table_js, script),
      "/assets/text.js": PageFile(PackageResources.text_js, script),
      "/assets/view.js": PageFile(PackageResources.view_js, script),
      "/assets/bi.js": PageFile(PackageResources.bi_js, script),
      "/assets/snippets.js": PageFile(PackageResources.snippets_js, script),
      "/assets/wdc.js": PageFile(PackageResources.wdc_js, script),
    ]
  }
}
