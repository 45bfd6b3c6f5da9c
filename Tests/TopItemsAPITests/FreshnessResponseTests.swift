import CountStore
import Counting
import HTTP
import TestSupport
import Testing

@testable import TopItemsAPI

@Suite("The state of the workers in answers")
struct FreshnessResponseTests {
  private let asking: TestAPI = {
    let asking = TestAPI(memory: 1 << 20)
    asking.api.shared?.receive(.attached(.listening))
    return asking
  }()

  private func report(_ reading: WorkerReading?) { asking.api.shared?.receive(.workers(reading)) }

  /// One worker that was seen `silence` seconds ago; the last message came `calm` seconds ago.
  private func reading(silence: Int64 = 1, calm: Int64 = 1, lag: Int64 = 0, now: Int64 = 0) -> WorkerReading {
    func time(_ ago: Int64) -> Timestamp {
      Timestamp(microseconds: 1_793_607_332_000_000 + (now - ago) * 1_000_000)
    }
    let key = PartitionKey(topic: "a", partition: 0)
    return WorkerReading(
      now: time(0),
      lastMessageAt: time(calm),
      workers: [
        WorkerRecord(
          id: "w",
          startedAt: time(3600),
          seenAt: time(silence),
          partitions: [key],
          lags: [lag],
          lag: lag
        )
      ]
    )
  }

  @Test("is null until it is known, and again when the database is out of reach")
  func unknown() throws {
    #expect(try asking.json("/v1/top-items")["meta"]?["freshness"] == .null)
    report(reading())
    #expect(
      try asking.json("/v1/top-items")["meta"]?["freshness"]
        == .object(["state": .string("live"), "since": .null])
    )
    #expect(
      try asking.json("/v1/top-items/series?bucket=1h")["meta"]?["freshness"]?["state"]?.string == "live"
    )
    asking.api.shared?.receive(.lost)
    #expect(try asking.json("/v1/top-items")["meta"]?["freshness"] == .null)
  }

  @Test("when it changes, responses in memory change and so do their tags; until then they stay as they are")
  func changes() throws {
    report(reading())
    let target = "/v1/top-items?n=3"
    let live = try asking.response(target)
    let count = asking.queries.all.count
    // Heartbeats, lag and time go on, the state does not change.
    for second in 1...20 { report(reading(lag: Int64(second * 100), now: Int64(second))) }
    let again = try asking.response(target)
    #expect(again.body == live.body && asking.queries.all.count == count, "from memory")
    #expect(
      try asking.response(target, fields: ["If-None-Match": live.fields["ETag"] ?? ""]).status == .notModified
    )
    report(reading(silence: 16, now: 36))
    let stopped = try asking.response(target, fields: ["If-None-Match": live.fields["ETag"] ?? ""])
    #expect(stopped.status == .ok && stopped.fields["ETag"] != live.fields["ETag"])
    let freshness = try JSON(parsing: stopped.body)["meta"]?["freshness"]
    #expect(freshness?["state"]?.string == "stopped" && freshness?["since"]?.string == "2026-11-02T08:15:52Z")
    #expect(asking.queries.all.count == count + 1)
    #expect(asking.api.shared?.cache.isTrusted == true, "the news of changes goes on")
  }

  @Test("a table that cannot be read makes it unknown, and responses are kept as before")
  func unreadable() throws {
    report(reading())
    report(nil)
    let first = try asking.response("/v1/top-items")
    #expect(try JSON(parsing: first.body)["meta"]?["freshness"] == .null)
    let count = asking.queries.all.count
    report(nil)
    #expect(try asking.response("/v1/top-items").body == first.body && asking.queries.all.count == count)
  }

  @Test("all pages of one result say the same")
  func pages() throws {
    report(reading())
    let first = try asking.json("/v1/top-items?limit=1")
    report(reading(silence: 16))
    let cursor = try #require(first["next_cursor"]?.string)
    let second = try asking.json("/v1/top-items?limit=1&cursor=\(cursor)")
    #expect(second["meta"] == first["meta"])
  }
}
