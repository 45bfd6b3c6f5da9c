import Foundation
import Glibc
import Kafka
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  /// One topic of a pattern is deleted under a worker that reads it and others.
  @Suite("A topic of a pattern that is deleted")
  struct TopicDeletionTests {
    @Test("the worker goes on with the others, and what came from the deleted one stays counted")
    func deleted() throws {
      let broker = try Broker.startPrivate()
      defer { broker.stop() }
      let proxy = try FaultProxy(to: broker.address)
      defer { proxy.close() }
      proxy.standInForBroker()
      // Since Fetch 16 Tansu's answer for a deleted topic makes librdkafka crash: docs/faults.md.
      proxy.rewrite { direction, bytes in
        if direction == .toClient { limitFetchVersion(in: &bytes, to: 15) }
      }
      try TestDatabase.withDatabase { url in
        let (deployment, doomed) = try Self.deployment(url, broker)
        let worker = try deployment.worker(
          ["--topics", "^\(deployment.topic).*"],
          sessionMilliseconds: 2500,
          environment: ["TOPITEMS_BROKERS": proxy.address]
        )
        let connection = try deployment.connect()
        try worker.waitUntil(within: .seconds(60), "both topics are counted") {
          try deployment.accountedFor(connection) == 6
        }
        try broker.deleteTopic(doomed)
        // When librdkafka looks at the metadata again; seen after 5 to 40 s, by its version.
        try worker.waitUntil(within: .seconds(120), "it gives the deleted topic up") {
          worker.errors.components(separatedBy: "assigned ").last?.contains(doomed) == false
        }
        try deployment.send(["d", "e"])
        try worker.waitUntil(within: .seconds(60), "it counts what comes from the other") {
          try deployment.accountedFor(connection) == 8
        }
        worker.signal(SIGTERM)
        #expect(try worker.wait(within: .seconds(20)) == .exited(0), "\(worker.story)")
        #expect(try Self.counted(connection) == 8)
      }
    }

    /// librdkafka that reads leaders from answers to Fetch (KIP-951) crashes where Tansu names one for a deleted topic.
    private static var mayCrash: Bool {
      KafkaLibrary.version.compare("2.5", options: .numeric) != .orderedAscending
    }

    @Test(
      "on the development broker it goes on as well; where the client library crashes, one restart loses nothing"
    )
    func developmentBroker() throws {
      let broker = try Broker.startPrivate()
      defer { broker.stop() }
      try TestDatabase.withDatabase { url in
        let (deployment, doomed) = try Self.deployment(url, broker)
        let connection = try deployment.connect()
        let options = ["--topics", "^\(deployment.topic).*"]
        let first = try deployment.worker(options, sessionMilliseconds: 2500)
        try first.waitUntil(within: .seconds(60), "both topics are counted") {
          try deployment.accountedFor(connection) == 6
        }
        try broker.deleteTopic(doomed)
        try deployment.send(["d", "e"])
        // As a supervisor does: whichever it is, one worker counts the rest.
        var worker = first
        var crashes = 0
        try waitUntil("the other topic is counted", within: .seconds(60)) {
          if !worker.isRunning {
            let ending = try worker.wait(within: .seconds(1))
            guard ending == .killed(signal: SIGSEGV) else {
              throw TestSupportError("\(ending)\(worker.story)")
            }
            crashes += 1
            worker = try deployment.worker(options, sessionMilliseconds: 2500)
          }
          return try deployment.accountedFor(connection) == 8
        }
        // Once started again, it knows of no deleted topic.
        worker.signal(SIGTERM)
        let ending = try worker.wait(within: .seconds(20))
        if ending == .killed(signal: SIGSEGV) { crashes += 1 }
        #expect(ending == .exited(0) || ending == .killed(signal: SIGSEGV), "\(worker.story)")
        #expect(crashes <= (Self.mayCrash ? 1 : 0))
        #expect(try Self.counted(connection) == 8)
      }
    }

    /// Two topics, with three events in each.
    private static func deployment(_ url: String, _ broker: Broker) throws -> (Deployment, doomed: String) {
      let deployment = try Deployment(databaseURL: url, broker: broker, partitions: 2)
      let doomed = try broker.createTopic(deployment.topic + "_doomed", partitions: 2)
      try deployment.migrate()
      try deployment.send(["a", "b", "c"])
      try deployment.send(["a", "b", "c"], topic: doomed)
      return (deployment, doomed)
    }

    private static func counted(_ connection: Connection) throws -> Int64 {
      try connection.execute("SELECT sum(item_count)::bigint FROM window_count").int64(0, 0)
    }
  }
}

/// Lowers the newest version of Fetch (API key 1) in a broker's response to ApiVersions, version 3 or 4: length,
/// correlation id, error code, and a compact array of (key, oldest, newest, no tags).
private func limitFetchVersion(in bytes: inout [UInt8], to newest: UInt8) {
  let (header, entry) = (11, 7)
  guard bytes.count > header + entry, bytes[8] == 0, bytes[9] == 0, bytes[10] > 1, bytes[10] < 128 else {
    return
  }
  let end = header + (Int(bytes[10]) - 1) * entry
  guard bytes.count >= end else { return }
  let entries = stride(from: header, to: end, by: entry)
  // Nothing else has entries without tags that begin with small numbers throughout.
  guard entries.allSatisfy({ bytes[$0 + 2] == 0 && bytes[$0 + 4] == 0 && bytes[$0 + 6] == 0 }) else { return }
  for start in entries where bytes[start] == 0 && bytes[start + 1] == 1 {
    bytes[start + 5] = min(bytes[start + 5], newest)
  }
}
