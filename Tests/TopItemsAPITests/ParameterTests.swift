import CountStore
import Counting
import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("Parameters of top-items")
struct ParameterTests {
  private static let paths = ["/v1/top-items", "/v1/top-items.json"]

  @Test(
    "a bad parameter is a 400 that names it and asks the store nothing",
    arguments: paths,
    [
      ("n=0", "n"), ("n=-1", "n"), ("n=1e9", "n"), ("n=abc", "n"), ("n=1001", "n"), ("n=", "n"), ("n", "n"),
      ("n=+5", "n"), ("n=%2B5", "n"), ("n=5%20", "n"), ("n=05", "n"), ("n=5.0", "n"), ("n=%D9%A5", "n"),
      ("n=99999999999999999999", "n"), ("n=5&n=5", "n"), ("n=5&%6E=6", "n"), ("N=5", "N"), ("n%20=5", "n "),
      ("location=abc", "location"), ("location=", "location"), ("location=9223372036854775808", "location"),
      ("location=-9223372036854775809", "location"), ("location=42,43", "location"),
      ("location=1&location=x", "location"), ("location=-0", "location"), ("location=-", "location"),
      ("location=0x2A", "location"), ("location[]=1", "location[]"),
      ("from=garbage", "from"), ("from=", "from"), ("from=2026-11-01", "from"), ("from=1793577600", "from"),
      ("from=2026-11-01T00:00:00", "from"), ("from=2026-11-01T00:00:00+01:00", "from"),
      ("from=2026-13-01T00:00:00Z", "from"), ("to=2026-02-30T00:00:00Z", "to"), ("to=x", "to"),
      ("from=2026-11-01T00:00:00Z&from=2026-11-01T00:00:00Z", "from"),
      ("from=2026-11-02T00:00:00Z&to=2026-11-01T00:00:00Z", "from"),
      ("from=2026-11-01T00:00:00Z&to=2026-11-01T00:00:00Z", "from"),
      ("from=2026-11-01T01:00:00%2B01:00&to=2026-11-01T00:00:00Z", "from"),
      ("from=2026-11-01T00:00:00Z&window=PT1H", "window"), ("window=PT1H&to=2026-11-01T00:00:00Z", "window"),
      ("window=PT0S", "window"), ("window=P1M", "window"), ("window=P1Y", "window"), ("window=1h", "window"),
      ("window=", "window"), ("window=-PT1H", "window"), ("window=PT", "window"), ("window=P", "window"),
      ("window=P100000D", "window"), ("window=P99999999999999999999D", "window"), ("window=PT01H", "window"),
      ("window=PT1H&window=PT2H", "window"),
      ("group=item", "group"), ("group=", "group"), ("group=ALL", "group"), ("group=all&group=all", "group"),
      ("int64=text", "int64"), ("int64=", "int64"), ("int64=string&int64=number", "int64"),
      ("ties=all", "ties"), ("others=1", "others"), ("share=yes", "share"), ("share=", "share"),
      ("compare=last", "compare"), ("tz=Nowhere", "tz"), ("tz=FOO%2B3", "tz"), ("tz=Etc/FOO3", "tz"),
      ("tz=", "tz"),
      ("item=\(String(repeating: "x", count: 301))", "item"), ("bucket=1m", "bucket"), ("=5", ""),
      ("api_key=hunter2", "api_key"), ("x%22%3C%2F=1", "x\"</"),
      ("n=%zz", "n"), ("n=%ff", "n"), ("n=%00", "n"),
    ]
  )
  func bad(path: String, example: (query: String, parameter: String)) throws {
    let asking = TestAPI()
    let response = try asking.response("\(path)?\(example.query)")
    #expect(response.status == .badRequest)
    #expect(response.fields["Content-Type"] == "application/problem+json")
    let problem = try JSON(parsing: response.body)
    #expect(problem["param"]?.string == example.parameter)
    #expect(problem["status"]?.integer == 400)
    #expect(problem["instance"]?.string == path)
    #expect(asking.queries.all.isEmpty)
  }

  @Test("a name that cannot be read, and thousands of parameters, are 400s that say so")
  func unreadable() throws {
    let asking = TestAPI()
    let many = (0..<5000).map { "location=\($0)" }.joined(separator: "&")
    for query in ["%zz=1", "%ff", many] {
      let response = try asking.response("/v1/top-items?\(query)")
      #expect(response.status == .badRequest)
      #expect(try JSON(parsing: response.body)["type"]?.string == "urn:topitems:problem:malformed-query")
      #expect(response.body.count < 1000)
    }
    #expect(asking.queries.all.isEmpty)
  }

  @Test("an offset's plus sign sent unencoded is explained")
  func plusSign() throws {
    let problem = try TestAPI().json("/v1/top-items?from=2026-11-01T00:00:00+01:00")
    #expect(problem["detail"]?.string?.contains("%2B") == true)
  }

  @Test("without parameters, the hour up to the newest window is asked for every location, 10 items each")
  func defaults() throws {
    for path in Self.paths + ["/v1/top-items?", "/v1/top-items?&&", "/v1/top%2Ditems"] {
      let query = try TestAPI().query(path)
      #expect(query.locations.isEmpty)
      #expect(query.n == 10)
      #expect(query.range == .newest(try #require(TimeSpan(iso8601: "PT1H"))))
      #expect(query.grouping == .location)
      // What leaves in pieces has no limit.
      #expect(query.maximumRows == (path.hasSuffix(".json") ? .max : 100_000))
    }
  }

  @Test("locations may be repeated; each counts once, over all of 64 bits")
  func locations() throws {
    let query = try TestAPI().query(
      "/v1/top-items?location=9223372036854775807&location=0&location=-9223372036854775808&location=0&n=1000"
    )
    #expect(query.locations == [.min, 0, .max])
    #expect(query.n == 1000)
  }

  @Test("a range may be open at one end, and its ends may have offsets and fractions")
  func ranges() throws {
    let from = try #require(Timestamp(rfc3339: "2026-11-01T00:00:00Z"))
    let to = try #require(Timestamp(rfc3339: "2026-11-02T00:00:00.5Z"))
    let path = "/v1/top-items"
    #expect(try TestAPI().query("\(path)?from=2026-11-01T01:00:00%2B01:00").range == .between(from, nil))
    #expect(try TestAPI().query("\(path)?to=2026-11-02T00:00:00.5Z").range == .between(nil, to))
    #expect(
      try TestAPI().query("\(path)?to=2026-11-02T00%3A00:00.500Z&from=2026-10-31T23:00:00-01:00").range
        == .between(from, to)
    )
    #expect(
      try TestAPI().query("\(path)?window=P1DT12H").range == .newest(try #require(TimeSpan(iso8601: "PT36H")))
    )
  }

  @Test("group=all asks for one ranking")
  func grouping() throws {
    #expect(try TestAPI().query("/v1/top-items?group=all").grouping == .all)
    #expect(try TestAPI().query("/v1/top-items?group=location").grouping == .location)
  }

  @Test("addresses without parameters refuse every one")
  func parameterless() throws {
    for path in ["/healthz", "/readyz", "/openapi.json"] {
      let problem = try TestAPI().json("\(path)?n=5")
      #expect(problem["status"]?.integer == 400)
      #expect(problem["param"]?.string == "n")
    }
  }
}
