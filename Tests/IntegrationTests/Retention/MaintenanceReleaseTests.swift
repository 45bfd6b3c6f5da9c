import CountStore
import Counting
import Kafka
import Postgres
import TestSupport
import Testing

@testable import Ingestion

@Suite("a worker's background work")
struct MaintenanceReleaseTests {
  @Test("a worker releases quarantined events that are due by itself, and reports how many")
  func releasing() throws {
    try CountStoreFixture.with { fixture throws in
      let claim = try #require(try fixture.claim())
      try fixture.quarantine([.init(oid: 1, at: 1), .init(oid: 2, at: 86_400_000_000)], .future, claim)
      let options = IngestionOptions(
        database: ConnectionOptions(url: fixture.url),
        topics: ["unused"],
        kafka: Configuration(brokers: "127.0.0.1:1")
      )
      let reported = Flag()
      let maintenance = Maintenance(
        options,
        isStopping: { false },
        observe: {
          if case .released(let report) = $0, report.fates.counted == 1, report.fates.total == 1 {
            reported.set()
          }
        }
      )
      maintenance.start()
      try waitUntil("the event that is due has been released", within: .seconds(30)) { reported.isSet }
      #expect(maintenance.stop(waiting: 5000))
      #expect(try fixture.fates().counted == 1)
      #expect(try fixture.fates().future == 1)
      #expect(try fixture.violations() == [])
    }
  }
}
