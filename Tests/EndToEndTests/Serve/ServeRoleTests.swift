import Foundation
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems serve with a role of its own")
  struct ServeRoleTests {
    private struct ServiceDocument: Decodable {
      struct Entry: Decodable { var url: String }
      var value: [Entry]
    }

    @Test("the role that docs/operations.md describes is enough for every response")
    func documented() throws {
      let cluster = try PostgresCluster(fsync: false)
      defer { cluster.remove() }
      let deployment = try Deployment(databaseURL: cluster.url(), broker: Broker.running())
      try deployment.migrate()
      try deployment.connect().run(script: script().replacing("'…'", with: "'secret'"))

      let url = "postgresql://topitems_serve:secret@127.0.0.1:\(cluster.port)/postgres"
      let server = try APIServer(databaseURL: url)
      defer { server.process.signal(SIGKILL) }
      try server.waitUntilReady()
      let service = try server.client.get("/odata/v4/")
      let sets = try JSONDecoder().decode(ServiceDocument.self, from: Data(service.body)).value.map(\.url)
      #expect(sets.count > 2)
      let paths =
        [
          "/v1/top-items", "/v1/top-items.csv", "/v1/top-items/series?bucket=1h", "/v1/locations",
          "/v1/items",
          "/v1/status", "/odata/v4/$metadata",
        ] + sets.map { "/odata/v4/\($0)" }
      for path in paths {
        let answer = try server.client.get(path)
        #expect(answer.status == 200, "\(path): \(answer.text.prefix(500))")
      }
    }

    private func script() throws -> String {
      let page = try String(contentsOf: Checkout.root.appending(path: "docs/operations.md"), encoding: .utf8)
      let blocks = page.components(separatedBy: "```sql\n").dropFirst().map {
        $0.components(separatedBy: "```")[0]
      }
      return try #require(blocks.first { $0.contains("CREATE ROLE topitems_serve") })
    }
  }
}
