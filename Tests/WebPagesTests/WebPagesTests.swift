import HTTP
import Testing
import WebPages

@Suite("Web pages")
struct WebPagesTests {
  private let pages: WebPages

  init() throws {
    pages = try #require(WebPages())
  }

  private func get(_ target: String, _ fields: Fields = [:], method: Method = .get) throws -> Response? {
    pages.response(to: Request(method: method, target: try Target(target, method: method), fields: fields))
  }

  private func text(_ response: Response) -> String { String(decoding: response.body, as: UTF8.self) }

  @Test(
    "a page is answered whatever its query says, with its type, a policy and a tag",
    arguments: [
      ("/", "text/html; charset=utf-8"), ("/?location=1&n=x", "text/html; charset=utf-8"),
      ("/bi/", "text/html; charset=utf-8"), ("/wdc/", "text/html; charset=utf-8"),
      ("/assets/live.js", "text/javascript; charset=utf-8"), ("/assets/pages.css", "text/css; charset=utf-8"),
      ("/assets/icon.svg", "image/svg+xml"),
    ]
  )
  func pageIsAnswered(target: String, contentType: String) throws {
    let response = try #require(try get(target))
    #expect(response.status == .ok)
    #expect(response.fields["Content-Type"] == contentType)
    #expect(response.fields["X-Content-Type-Options"] == "nosniff")
    #expect(response.fields["Content-Security-Policy"]?.hasPrefix("default-src 'none';") == true)
    #expect(response.fields["ETag"] != nil)
    #expect(!response.body.isEmpty)
  }

  @Test(
    "a page is named in metrics and logs by its path, and nothing else is",
    arguments: [("/?n=1", "/"), ("/assets/live.js", "/assets/live.js"), ("/v1/items", nil), ("/x", nil)]
      as [(String, String?)]
  )
  func routeName(target: String, name: String?) throws {
    #expect(pages.routeName(of: Request(target: try Target(target))) == name)
  }

  @Test("what a page refers to is there", arguments: ["/", "/bi/", "/wdc/"])
  func referencesAreThere(page: String) throws {
    let html = text(try #require(try get(page)))
    let names = html.matches(of: /(?:src|href)="(?:\.\.\/)?(assets\/[a-z.]+)"/).map { "/" + String($0.1) }
    #expect(names.count > 2)
    for name in names {
      let file = try #require(try get(name), "\(name), of \(page)")
      for imported in text(file).matches(of: /from "\.\/([a-z]+\.js)"/) {
        #expect(try get("/assets/\(imported.1)") != nil, "\(imported.1), of \(name)")
      }
    }
  }

  @Test("no page loads anything from elsewhere, runs a script of its text, or has a style of its own")
  func pagesAreStrict() throws {
    for page in ["/", "/bi/", "/wdc/"] {
      let html = text(try #require(try get(page)))
      #expect(html.firstMatch(of: /<script(?![^>]* src=)|<style| style=| on[a-z]+=/) == nil, "\(page)")
      let elsewhere = html.matches(of: /(?:src|href)="(?:https?:)?\/\/[^"]*"/).map { String($0.0) }
      #expect(elsewhere == (page == "/wdc/" ? [#"src="\#(WebPages.tableauScript)""#] : []))
    }
  }

  @Test("a page that the client has already is not sent again")
  func knownPage() throws {
    let tag = try #require(try get("/")?.fields["ETag"])
    for known in [tag, "\"other\", \(tag)", "*"] {
      let response = try #require(try get("/", ["If-None-Match": known]))
      #expect(response.status == .notModified)
      #expect(response.body.isEmpty)
      #expect(response.fields["Content-Type"] == nil)
    }
    #expect(try get("/", ["If-None-Match": "W/\"other\""])?.status == .ok)
  }

  @Test(
    "gzip is sent to a client that accepts it",
    arguments: [
      ("gzip, deflate, br", true), ("br,gzip", true), ("gzip;q=0", false), ("br;q=1, gzip;q=0.5", true),
      ("x-gzipped", false), ("", false),
    ]
  )
  func gzip(acceptEncoding: String, isCoded: Bool) throws {
    let plain = try #require(try get("/assets/live.js"))
    #expect(plain.fields["Content-Encoding"] == nil)
    let response = try #require(try get("/assets/live.js", ["Accept-Encoding": acceptEncoding]))
    #expect(response.fields["Content-Encoding"] == (isCoded ? "gzip" : nil))
    #expect(response.body.starts(with: [0x1f, 0x8b]) == isCoded)
    #expect((response.body.count < plain.body.count) == isCoded)
    #expect(response.fields["Vary"] == "Accept-Encoding")
  }

  @Test("a folder without its slash leads to it, query and all")
  func folder() throws {
    let response = try #require(try get("/bi?n=3"))
    #expect(response.status == .movedPermanently)
    #expect(response.fields["Location"] == "bi/?n=3")
  }

  @Test("pages are only read")
  func otherMethods() throws {
    #expect(try get("/", method: .post)?.status == .methodNotAllowed)
    #expect(try get("/", method: .post)?.fields["Allow"] == "GET, HEAD, OPTIONS")
    #expect(try get("/", method: .options)?.status == .noContent)
    #expect(try get("/", method: .head)?.status == .ok)
  }

  @Test(
    "other addresses are not the pages'",
    arguments: ["/v1/top-items", "/assets/", "/assets/secret", "/live.html"]
  )
  func otherAddresses(target: String) throws {
    #expect(try get(target) == nil)
  }

  @Test("Tableau's script may come from elsewhere, and page and policy name the same")
  func tableauScript() throws {
    let pages = try #require(WebPages(tableauScript: "https://example.org/wdc.js"))
    let response = try #require(pages.response(to: Request(target: try Target("/wdc/"))))
    #expect(text(response).contains(#"<script src="https://example.org/wdc.js"></script>"#))
    let policy = try #require(response.fields["Content-Security-Policy"])
    #expect(policy.contains("script-src 'self' https://example.org/wdc.js"))
    let own = try #require(WebPages(tableauScript: "/tableau.js"))
    let request = Request(target: try Target("/wdc/"))
    #expect(
      own.response(to: request)?.fields["Content-Security-Policy"]?.hasSuffix("script-src 'self' 'self'")
        == true
    )
  }

  @Test(
    "what is no address of a script is refused",
    arguments: [
      "", "https://", "tableau.js", "//example.org/x.js", "javascript:alert(1)", "https://x.org/\"><script>",
      "https://x.org/a; script-src *", "https://x.org/a,b", "https://x.org/?a", "https://x.org/é", "data:,x",
    ]
  )
  func wrongScript(address: String) {
    #expect(WebPages(tableauScript: address) == nil)
  }
}
