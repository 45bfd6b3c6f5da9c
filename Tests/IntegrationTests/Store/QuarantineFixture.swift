import CountStore
import Counting
import Foundation
import Postgres
import TestSupport

/// Stores dead letters and quarantined events, as a worker does.
extension CountStoreFixture {
  /// An event as a camera would send it; the time is microseconds since `origin`.
  struct Sent {
    var oid: Int64
    var location: Int64 = 1
    var camera: Int64 = 10
    var item = "box"
    var at: Int64 = 0

    /// As the worker of an earlier version could not read it, perhaps.
    func payload(_ origin: Int64) -> [UInt8] {
      let item = item.replacing("\"", with: "\\\"")
      return Array(
        """
        {"geographical_location_oid":\(location),"video_camera_oid":\(camera),"item_name":"\(item)",\
        "detection_oid":\(oid),"timestamp_detected":"\(Timestamp(microseconds: origin + at).rfc3339)"}
        """.utf8
      )
    }

    var seen: Seen { Seen(oid: oid, location: location, item: item, at: at) }
  }

  /// Commits a batch of nothing but dead letters.
  /// - Returns: the claim after it.
  @discardableResult
  func insertDeadLetters(
    _ payloads: [[UInt8]],
    _ claim: PartitionClaim,
    reason: String = "old",
    cutTo: Int = .max
  ) throws
    -> PartitionClaim
  {
    var batch = batch(claim, [])
    for (index, payload) in payloads.enumerated() {
      batch.deadLetters.append(
        Batch.DeadLetter(
          part: 0,
          offset: claim.nextOffset + Int64(index),
          reason: reason,
          field: nil,
          payload: Array(payload.prefix(cutTo)),
          payloadBytes: payload.count,
          messageAt: nil
        )
      )
    }
    batch.parts[0].next += Int64(payloads.count)
    batch.parts[0].fates.deadLetter = payloads.count
    guard try apply(batch).isCommitted else { throw TestSupportError("the dead letters were not committed") }
    return after(batch)
  }

  /// Commits a batch of nothing but events of that fate, late or future.
  @discardableResult
  func quarantine(_ events: [Sent], _ fate: Fate, _ claim: PartitionClaim) throws -> PartitionClaim {
    var batch = batch(claim, [])
    for (index, event) in events.enumerated() {
      let camera = batch.cameras.recordArrival(
        CameraKey(location: event.location, camera: event.camera),
        skew: event.at
      )
      batch.cameras.add(fate, to: camera)
      Array(event.item.utf8).withUnsafeBytes { name in
        batch.quarantined.append(
          Batch.QuarantinedEvent(
            part: 0,
            offset: claim.nextOffset + Int64(index),
            fate: fate,
            event: Event(
              locationOid: event.location,
              cameraOid: event.camera,
              detectionOid: event.oid,
              detectedAt: Timestamp(microseconds: origin + event.at),
              itemName: name
            )
          )
        )
      }
    }
    batch.parts[0].next += Int64(events.count)
    batch.parts[0].fates[fate] = events.count
    guard try apply(batch).isCommitted else { throw TestSupportError("the events were not committed") }
    return after(batch)
  }

  /// Replays everything call by call, as the command does.
  func replay(
    _ filter: DeadLetterFilter = DeadLetterFilter(),
    options: ReplayOptions = ReplayOptions(),
    on other: Connection? = nil
  ) throws -> ReplayReport {
    var decoder = EventDecoder()
    var report = ReplayReport()
    repeat {
      report += try CountStore(other ?? connection).replayDeadLetters(
        filter,
        after: report.last,
        limit: .max,
        options: options,
        decoder: &decoder
      )
    } while report.last != nil
    return report
  }

  func release(_ filter: QuarantineFilter = QuarantineFilter(), late: LateRelease = .none) throws
    -> ReleaseReport
  {
    var report = ReleaseReport()
    repeat {
      report += try store.releaseQuarantine(filter, after: report.last, limit: .max, late: late)
    } while report.last != nil
    return report
  }

  /// The fates in all partitions' rows.
  func fates() throws -> FateCounts {
    var sum = FateCounts()
    for partition in try store.status().partitions { sum += partition.fates }
    return sum
  }

  func setPurgedUntil(_ microseconds: Int64?) throws {
    _ = try connection.execute("UPDATE dedup_floor SET purged_until = \(timestamp: microseconds)")
  }

  func setFloor(_ microseconds: Int64) throws {
    _ = try connection.execute("UPDATE dedup_floor SET floor_at = \(timestamp: microseconds)")
  }
}
