import APICore
import TestSupport
import CountStore
import Counting
import HTTP
import Threading
import Postgres
import Testing

@testable import TopItemsAPI

@Suite("/v1/status")
struct StatusTests {
  @Test(
    "shows watermark, revision, fates and lag of each partition and in all, and the cameras with problems"
  )
  func busy() throws {
    let json = try TestAPI().json("/v1/status")
    #expect(json["revision"]?.integer == 88121)
    #expect(json["watermark"]?.string == "2026-11-02T08:15:30.25Z")
    #expect(json["fates"]?["counted"]?.integer == 30 + 7 && json["fates"]?["dead_letters"]?.integer == 1)
    let forgotten = try #require(json["forgotten"]?.array?.first)
    #expect(forgotten["topic"]?.string == "old" && forgotten["fates"]?["counted"]?.integer == 7)
    #expect(json["lag"]?.integer == 5)
    #expect(json["freshness"]?["state"]?.string == "delayed" && json["freshness"]?["seconds"]?.integer == 30)
    let partitions = try #require(json["partitions"]?.array)
    #expect(partitions.map { $0["lag"]?.integer } == [5, 0])
    let worker = try #require(json["workers"]?.array?.first)
    #expect(worker["partitions"]?.integer == 2 && worker["broker_reachable"] == .bool(true))
    #expect(worker["behind_since"]?.string == "2026-11-02T08:15:02Z" && worker["stopped_at"] == .null)
    #expect(partitions[0]["fates"]?["duplicates"]?.integer == 2)
    let camera = try #require(json["cameras"]?["problems"]?.array?.first)
    #expect(camera["geographical_location_oid"]?.string == "-9223372036854775808")
    #expect(camera["conflicts"]?.integer == 3 && camera["largest_skew_us"]?.integer == 3_600_000_000)
    #expect(json["cameras"]?["others"]?["latest_skew_us"] == .null)
  }

  @Test("of a system that has counted nothing is nulls and zeros")
  func nothing() throws {
    let json = try TestAPI(status: .success(.nothing)).json("/v1/status")
    #expect(json["watermark"] == .null)
    #expect(json["lag"] == .null, "no worker has reported")
    #expect(json["freshness"]?["state"]?.string == "stopped" && json["freshness"]?["since"] == .null)
    #expect(json["partitions"]?.array?.isEmpty == true && json["workers"]?.array?.isEmpty == true)
  }

  @Test("does not know the lag of all when it does not know one's")
  func unknownLag() throws {
    var status = SystemStatus.busy
    status.workers.workers[0].lags[1] = nil
    status.workers.workers[0].lag = nil
    let json = try TestAPI(status: .success(status)).json("/v1/status")
    #expect(json["lag"] == .null)
    #expect(json["partitions"]?.array?[1]["lag"] == .null)
  }

  @Test("does not show the lag of the last batches once no worker reports the current one")
  func deadWorker() throws {
    var status = SystemStatus.busy
    status.workers.now = Timestamp(microseconds: status.workers.now.microseconds + Freshness.silence)
    let json = try TestAPI(status: .success(status)).json("/v1/status")
    #expect(json["lag"] == .null && json["freshness"]?["state"]?.string == "stopped")
    #expect(json["partitions"]?.array?.map { $0["lag"] } == [.null, .null])
  }

  @Test("keeps every response within the schema of openapi.yaml", arguments: [SystemStatus.busy, .nothing])
  func schema(status: SystemStatus) throws {
    let asking = TestAPI(status: .success(status))
    let document = try asking.json("/openapi.json")
    let complaints = Schema(document: document).complaints(
      about: try asking.json("/v1/status"),
      by: document["components"]?["schemas"]?["SystemStatus"]
    )
    #expect(complaints == [])
  }

  @Test("takes no parameters, reports a failing database, and logs it")
  func failure() throws {
    #expect(try TestAPI().response("/v1/status?n=1").status == .badRequest)
    let failures = Lock(0)
    let asking = TestAPI(status: .failure(.postgres(PostgresError(.connection, "x")))) { observation in
      if case .statusFailed = observation { failures.withLock { $0 += 1 } }
    }
    #expect(try asking.response("/v1/status").status == .serviceUnavailable)
    #expect(failures.withLock { $0 } == 1)
  }
}

extension SystemStatus {
  static let nothing = SystemStatus(
    revision: 0,
    watermark: nil,
    partitions: [],
    deadLettersKept: 0,
    quarantined: 0,
    camerasKnown: 0,
    cameraProblems: [],
    otherCameras: CameraCounters(),
    workers: WorkerReading(now: Timestamp(microseconds: 0), lastMessageAt: nil, workers: [])
  )

  /// Two partitions and a camera that cannot be trusted.
  static let busy: SystemStatus = {
    var fates = FateCounts()
    fates.counted = 15
    fates.duplicate = 2
    var second = fates
    second.deadLetter = 1
    var counters = CameraCounters()
    counters.conflicts = 3
    counters.largestSkew = 3_600_000_000
    counters.latestSkew = -1
    return SystemStatus(
      revision: 88121,
      watermark: Timestamp(rfc3339: "2026-11-02T08:15:30.25Z"),
      partitions: [
        Partition(
          key: PartitionKey(topic: "a", partition: 0),
          nextOffset: 17,
          logEnd: 22,
          maximumEventAt: Timestamp(rfc3339: "2026-11-02T08:15:30.25Z"),
          lastMessageAt: Timestamp(rfc3339: "2026-11-02T08:15:31Z"),
          fates: fates
        ),
        // The log's end was seen before the last batch.
        Partition(
          key: PartitionKey(topic: "a", partition: 1),
          nextOffset: 18,
          logEnd: 12,
          maximumEventAt: nil,
          lastMessageAt: nil,
          fates: second
        ),
      ],
      forgotten: [
        ForgottenTopic(
          topic: "old",
          fates: {
            var fates = FateCounts(); fates.counted = 7; return fates
          }(),
          partitions: 1,
          lost: 2,
          forgottenAt: Timestamp(microseconds: 0)
        )
      ],
      deadLettersKept: 1,
      quarantined: 0,
      camerasKnown: 2,
      cameraProblems: [
        Camera(
          key: CameraKey(location: .min, camera: .max),
          counters: counters,
          lastSeen: Timestamp(rfc3339: "2026-11-02T08:15:31Z")
        )
      ],
      otherCameras: CameraCounters(),
      workers: .behind
    )
  }()
}

extension WorkerReading {
  /// One worker, and five messages that wait for half a minute.
  static let behind: WorkerReading = {
    func time(_ seconds: Int64) -> Timestamp {
      Timestamp(microseconds: 1_793_607_332_000_000 + seconds * 1_000_000)
    }
    return WorkerReading(
      now: time(0),
      lastMessageAt: time(-1),
      workers: [
        WorkerRecord(
          id: "0b9b1e5c-52a6-4c2f-9d3e-7f1c2a3b4d5e",
          startedAt: time(-3600),
          seenAt: time(-1),
          version: "0.1.0",
          partitions: [PartitionKey(topic: "a", partition: 0), PartitionKey(topic: "a", partition: 1)],
          lags: [5, 0],
          lag: 5,
          behindSince: time(-30),
          lastCommitAt: time(-1)
        )
      ]
    )
  }()
}
