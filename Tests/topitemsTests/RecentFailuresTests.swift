import CountStore
import Postgres
import Testing

@testable import topitems

@Suite("Recent failures of questions")
struct RecentFailuresTests {
  private let start = ContinuousClock.now

  private func error(_ state: String) -> CountStoreError {
    .postgres(PostgresError(.server, "x", sqlState: SQLState(rawValue: state)))
  }

  @Test("three in a row of what concerns every question are a verdict, for ten seconds")
  func row() {
    var failures = RecentFailures()
    for _ in 1...2 { failures.record(error("42501"), at: start) }
    #expect(failures.verdict(at: start) == nil)
    failures.record(error("42501"), at: start)
    #expect(failures.verdict(at: start + .seconds(10)) != nil)
    #expect(failures.verdict(at: start + .seconds(11)) == nil, "it is tried again")
    failures.record(nil, at: start + .seconds(2))
    #expect(failures.verdict(at: start + .seconds(2)) == nil, "a question was answered")
  }

  @Test(
    "what one question may be to blame for, and what the probe meets itself, are none",
    arguments: ["57014", "22003", "53300", "08006", "40001", "55P03"]
  )
  func others(state: String) {
    var failures = RecentFailures()
    for _ in 1...9 { failures.record(error(state), at: start) }
    #expect(failures.verdict(at: start) == nil)
  }

  @Test(
    "missing rights and tables, full and broken disks are",
    arguments: ["42501", "42P01", "53100", "58030", "XX001"]
  )
  func verdicts(state: String) {
    var failures = RecentFailures()
    for _ in 1...3 { failures.record(error(state), at: start) }
    #expect(failures.verdict(at: start) != nil)
  }
}
