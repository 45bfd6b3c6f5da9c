import APICore
import CountStore
import Foundation
import HTTP
import Postgres
import TestSupport
import Testing

@testable import TopItemsAPI

/// `openapi.yaml` and the responses, held to each other in both directions.
@Suite("openapi.yaml")
struct OpenAPITests {
  let document: JSON
  var schema: Schema { Schema(document: document) }

  init() throws {
    document = try JSON(parsing: try TestAPI().response("/openapi.json").body)
  }

  /// A request that must be answered by this status, as the document says.
  struct Example: CustomTestStringConvertible {
    var status: Int
    var target: String
    var method = Method.get
    var fields: Fields = [:]
    var asking = TestAPI()
    var testDescription: String { "\(status) \(method.rawValue) \(target)" }

    /// For each path of the document, one for each of its statuses.
    static func all(for path: String) -> [Example] {
      func failing(_ error: PostgresError) -> TestAPI {
        TestAPI(
          .failure(.postgres(error)),
          series: .failure(.postgres(error)),
          locations: .failure(.postgres(error)),
          items: .failure(.postgres(error)),
          readiness: .failure(.postgres(error)),
          status: .failure(.postgres(error))
        )
      }
      let gone = String(repeating: "0", count: 16) + "." + String(repeating: "0", count: 32) + ".1"
      return [
        Example(status: 200, target: path),
        Example(status: 200, target: path, method: .head),
        Example(status: 304, target: path, fields: ["If-None-Match": "*"]),
        Example(status: 400, target: "\(path)?unknown=1"),
        Example(
          status: 404,
          target: "\(path)?location=43",
          asking: TestAPI(.failure(.unknownLocations([43])), series: .failure(.unknownLocations([43])))
        ),
        Example(status: 405, target: path, method: .delete),
        Example(status: 200, target: path, fields: ["Accept": "text/csv"]),
        Example(status: 200, target: path, fields: ["Accept": "application/x-ndjson"]),
        Example(status: 406, target: path, fields: ["Accept": "image/png"]),
        Example(status: 410, target: "\(path)?cursor=\(gone)"),
        Example(status: 500, target: path, asking: failing(PostgresError(.protocol, "x"))),
        Example(status: 503, target: path, asking: failing(PostgresError(.connection, "x"))),
        Example(
          status: 504,
          target: path,
          asking: failing(PostgresError(.server, "x", sqlState: .queryCanceled))
        ),
      ]
    }
  }

  private func operation(_ path: String) -> JSON? { document["paths"]?[path]?["get"] }

  private func resolved(_ value: JSON?) -> JSON? {
    guard let reference = value?["$ref"]?.string else { return value }
    return document[pointer: reference]
  }

  @Test("the paths of the document are the routes, and their query parameters are those that the routes take")
  func routes() throws {
    let routes = TestAPI().api.routes
    let paths = try #require(document["paths"]?.object)
    #expect(Set(paths.keys) == Set(routes.keys))
    for (path, route) in routes {
      #expect(paths[path]?.object?.keys.sorted() == ["get"])
      let parameters = (operation(path)?["parameters"]?.array ?? []).map { resolved($0) }
      let inQuery = parameters.filter { $0?["in"]?.string == "query" }.compactMap { $0?["name"]?.string }
      var read = ParameterReader([])
      _ = route.read(&read, try .empty())
      #expect(inQuery == read.names)
    }
  }

  @Test("every parameter of the document is in docs/connect/curl.md")
  func documentedParameters() throws {
    let page = try String(contentsOf: Checkout.root.appending(path: "docs/connect/curl.md"), encoding: .utf8)
    let parameters = try #require(document["components"]?["parameters"]?.object)
    for parameter in parameters.values where parameter["in"]?.string == "query" {
      let name = try #require(parameter["name"]?.string)
      #expect(page.contains("`\(name)`"), "\(name)")
    }
  }

  @Test("each documented status of each path is answered as documented, and no other status comes")
  func statuses() throws {
    for path in TestAPI().api.routes.keys {
      let documented = try #require(operation(path)?["responses"]?.object)
      var answered: Set<String> = []
      for example in Example.all(for: path) {
        let response = try example.asking.response(
          example.target,
          method: example.method,
          fields: example.fields
        )
        let status = "\(response.status.rawValue)"
        answered.insert(status)
        guard let description = resolved(documented[status]) else {
          Issue.record("\(path) answers \(status), which is not documented")
          continue
        }
        // An address without a format of its own has no 406, and one without pages no 410.
        if documented["\(example.status)"] != nil {
          #expect(response.status.rawValue == example.status, "\(path): \(example.testDescription)")
        }
        try check(response, by: description, at: "\(path) \(status)", hasBody: example.method != .head)
      }
      #expect(answered == Set(documented.keys), "\(path)")
    }
  }

  /// The fields and the body of a response are those of its description.
  private func check(_ response: Response, by description: JSON, at place: String, hasBody: Bool) throws {
    let fields = description["headers"]?.object ?? [:]
    let names = Set(response.fields.map(\.name)).subtracting(["Content-Type"])
    // HEAD and short responses have all of them.
    #expect(names == Set(fields.keys), "\(place)")
    for (name, value) in fields {
      let field = resolved(value)
      let text = response.fields[name] ?? ""
      let isInteger = field?["schema"]?["type"]?.string == "integer"
      let json = isInteger ? Int64(text).map(JSON.integer) ?? .string(text) : .string(text)
      #expect(schema.complaints(about: json, by: field?["schema"], at: "\(place) \(name)") == [])
    }
    guard let contentType = response.fields["Content-Type"] else {
      #expect(description["content"] == nil && response.body.isEmpty, "\(place)")
      return
    }
    let content = try #require(
      description["content"]?[contentType],
      "\(place): \(contentType) is not documented"
    )
    if contentType == "text/event-stream" {
      // A stream is not begun for HEAD.
      #expect(
        !hasBody || String(decoding: response.body, as: UTF8.self).contains("event: top-items\ndata: {")
      )
    } else if contentType == "application/json", place.hasPrefix("/openapi.json") {
      #expect(try JSON(parsing: response.body)["openapi"]?.string == "3.1.0")
    } else {
      let isJSON = contentType.hasSuffix("json") && contentType != "application/x-ndjson"
      let body =
        isJSON ? try JSON(parsing: response.body) : .string(String(decoding: response.body, as: UTF8.self))
      #expect(schema.complaints(about: body, by: content["schema"], at: place) == [])
    }
  }

  @Test("answers with nulls, numbers and nothing fit the schemas too")
  func variants() throws {
    let all = TopItems.with([
      TopItems.Row(locationOid: nil, locationName: nil, rank: 1, itemName: "x", count: 1)
    ])
    for asking in [
      TestAPI(), TestAPI(.success(.nothing)), TestAPI(.success(all)), TestAPI(.success(.compared)),
    ] {
      for path in ["/v1/top-items", "/v1/top-items.json"] {
        let content = operation(path)?["responses"]?["200"]?["content"]?["application/json"]
        for query in [
          "", "?int64=number", "?share=true&compare=previous&tz=Europe/Berlin&ties=include&others=true",
        ] {
          #expect(schema.complaints(about: try asking.json(path + query), by: content?["schema"]) == [])
        }
      }
    }
  }

  @Test("each example in the document fits the schema beside it")
  func examples() {
    var count = 0
    func visit(_ value: JSON, at path: String) {
      if let example = value["example"], let schema = value["schema"] {
        count += 1
        #expect(self.schema.complaints(about: example, by: schema, at: path) == [])
      }
      for (name, member) in value.object ?? [:] where name != "example" {
        visit(member, at: "\(path)/\(name)")
      }
      for (index, element) in (value.array ?? []).enumerated() { visit(element, at: "\(path)/\(index)") }
    }
    visit(document, at: "#")
    #expect(count >= 9)
  }

  @Test("a documented default is what the absence of the parameter means")
  func defaults() throws {
    for parameter in try #require(document["components"]?["parameters"]?.object).values {
      guard let value = parameter["schema"]?["default"], let name = parameter["name"]?.string else {
        continue
      }
      var text = value.string ?? "\(value.integer ?? 0)"
      if case .bool(let flag) = value { text = "\(flag)" }
      let path = name == "bucket" ? "/v1/top-items/series" : "/v1/top-items"
      let (given, absent) = (TestAPI(), TestAPI())
      let explicit = try given.query("\(path)?\(name)=\(text)")
      #expect(try absent.query(path) == explicit, "\(name)")
      #expect(given.queries.allSeries == absent.queries.allSeries, "\(name)")
      #expect(
        try given.response("\(path).csv?\(name)=\(text)").body == absent.response("\(path).csv").body,
        "\(name)"
      )
    }
    #expect(
      try TestAPI().response("/v1/top-items?int64=string").body == TestAPI().response("/v1/top-items").body
    )
  }

  @Test("documented limits and words are the ones that are kept")
  func limits() throws {
    let n = document["components"]?["parameters"]?["n"]?["schema"]
    #expect(n?["maximum"]?.integer == TopItemsParameters.largestN)
    let group = document["components"]?["parameters"]?["group"]?["schema"]?["enum"]?.array
    #expect(group?.compactMap(\.string) == Grouping.allCases.map(\.rawValue))
    let int64 = document["components"]?["parameters"]?["int64"]?["schema"]?["enum"]?.array
    #expect(int64?.compactMap(\.string) == IntegerStyle.allCases.map(\.rawValue))
    for (name, words) in [
      ("ties", Ties.allCases.map(\.rawValue)), ("bucket", Bucket.allCases.map(\.rawValue)),
      ("compare", Comparison.allCases.map(\.rawValue)),
    ] {
      let documented = document["components"]?["parameters"]?[name]?["schema"]?["enum"]?.array
      #expect(documented?.compactMap(\.string) == words)
    }
    let parameters = document["components"]?["parameters"]
    #expect(parameters?["limit"]?["schema"]?["maximum"]?.integer == Paging.largestLimit)
    #expect(
      parameters?["location"]?["schema"]?["maxItems"]?.integer == Int64(TopItemsParameters.mostLocations)
    )
    #expect(parameters?["item"]?["schema"]?["maxLength"]?.integer == Int64(TopItemsParameters.longestPrefix))
    let change = document["components"]?["schemas"]?["TopItem"]?["properties"]?["change"]?["enum"]?.array
    #expect(change?.compactMap(\.string) == TopItems.Row.Change.allCases.map(\.rawValue))
    let state = document["components"]?["schemas"]?["TopItemsMeta"]?["properties"]?["state"]?["enum"]?.array
    #expect(state?.compactMap(\.string) == Finality.allCases.map(\.rawValue))
  }

  @Test("the types of problems in the document are those that exist")
  func problemTypes() throws {
    let errors: [APIError] = [
      .unknownParameter("x", known: []), .repeatedParameter("x"), .malformedParameter("x", expected: "y"),
      .contradictoryParameters("x", other: "y"), .emptyRange, .malformedQuery(parameter: nil, detail: "x"),
      .tooManyRows(limit: 1), .answerTooLong(bytes: 1), .cursorGone(isElsewhere: true),
      .unknownLocations([1]), .unknownPath, .wrongMethod(allowed: [.get]),
      .notAcceptable(offered: "x"), .databaseAway, .databaseBusy, .databaseTooSlow, .migrationsPending(["x"]),
      .tooManyStreams, .unexpected, .refused(.badRequest, detail: "x"),
    ]
    let problem = document["components"]?["schemas"]?["Problem"]
    let types = problem?["properties"]?["type"]?["enum"]?.array?.compactMap(\.string) ?? []
    #expect(types == errors.map { "urn:topitems:problem:" + $0.problem.type })
    for error in errors + [.unpagedFormat(parameter: "limit"), .foreignCursor] {
      let body = try JSON(parsing: error.problem.body(instance: "/"))
      #expect(schema.complaints(about: body, by: problem) == [])
    }
  }

  @Test("the document in the binary is the file in the repository")
  func embedded() throws {
    let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../openapi.yaml")
    let yaml = String(decoding: try Data(contentsOf: file.standardizedFileURL), as: UTF8.self)
    #expect(try TestAPI().response("/openapi.json").body == OpenAPIDocument.json(yaml: yaml))
  }

  @Test("YAML becomes JSON by the rules of YAML 1.2: times, yes and quoted numbers stay strings")
  func conversion() throws {
    let yaml = """
      time: 2026-11-01T00:00:00Z
      words: [yes, no, on, ~, 0x10, 1_000, 012, 1:30, .5, null, true, -1.5e3, 7]
      quoted: ['1', "true", 'null']
      200: &anchor { empty: }
      again: *anchor
      text: |
        two
        lines
      """
    let json = String(decoding: try OpenAPIDocument.json(yaml: yaml), as: UTF8.self)
    #expect(
      json == """
        {"time":"2026-11-01T00:00:00Z","words":["yes","no","on","~","0x10","1_000","012","1:30",".5",null,true,\
        -1.5e3,7],"quoted":["1","true","null"],"200":{"empty":null},"again":{"empty":null},"text":"two\\nlines"}
        """
    )
    for broken in ["a: [1", "", "a: *b", "? [1]\n: 2"] {
      #expect(throws: (any Error).self) { try OpenAPIDocument.json(yaml: broken) }
    }
  }
}
