import CountStore
import Counting
import JSONText

/// A status as JSON. Identifiers are strings, as JavaScript loses the last digits of large numbers.
enum StatusJSON {
  static func body(_ status: SystemStatus) -> [UInt8] {
    var json = JSONWriter(capacity: 2048 + 320 * status.partitions.count)
    json.object { json in
      json.name("now")
      time(status.workers.now, &json)
      json.name("freshness")
      freshness(status.workers, &json)
      json.name("revision")
      json.integer(status.revision)
      json.name("watermark")
      time(status.watermark, &json)
      json.name("fates")
      fates(total(status), &json)
      json.name("lag")
      integer(status.workers.behind(at: status.workers.now), &json)
      json.name("dead_letters_kept")
      json.integer(status.deadLettersKept)
      json.name("quarantined")
      json.integer(status.quarantined)
      json.name("partitions")
      json.array { json in
        let lags = status.workers.lags(at: status.workers.now)
        for partition in status.partitions { write(partition, lag: lags[partition.key], &json) }
      }
      json.name("workers")
      json.array { json in
        for worker in status.workers.workers { write(worker, &json) }
      }
      json.name("forgotten")
      json.array { json in
        for topic in status.forgotten { write(topic, &json) }
      }
      json.name("cameras")
      json.object { json in
        json.name("known")
        json.integer(status.camerasKnown)
        json.name("problems")
        json.array { json in
          for camera in status.cameraProblems { write(camera, &json) }
        }
        json.name("others")
        json.object { json in members(status.otherCameras, &json) }
      }
    }
    return json.bytes
  }

  private static func total(_ status: SystemStatus) -> FateCounts {
    var sum = FateCounts()
    for partition in status.partitions { sum += partition.fates }
    for topic in status.forgotten { sum += topic.fates }
    return sum
  }

  private static func freshness(_ workers: WorkerReading, _ json: inout JSONWriter) {
    let freshness = workers.freshness(at: workers.now)
    json.object { json in
      json.name("state")
      json.string(freshness.name)
      json.name("since")
      time(freshness.since, &json)
      json.name("seconds")
      integer(
        freshness.since.map { max(0, workers.now.microseconds &- $0.microseconds) / 1_000_000 },
        &json
      )
    }
  }

  /// Without the worker's host and its last error: these are for people who may read the table.
  private static func write(_ worker: WorkerRecord, _ json: inout JSONWriter) {
    json.object { json in
      json.name("id")
      json.string(worker.id)
      json.name("version")
      json.string(worker.version)
      for (name, value) in [
        ("started_at", worker.startedAt), ("seen_at", worker.seenAt), ("stopped_at", worker.stoppedAt),
        ("last_commit_at", worker.lastCommitAt), ("behind_since", worker.behindSince),
      ] as [(StaticString, Timestamp?)] {
        json.name(name)
        time(value, &json)
      }
      json.name("partitions")
      json.integer(Int64(worker.partitions.count))
      json.name("broker_reachable")
      json.bool(worker.isBrokerReachable)
      json.name("lag")
      integer(worker.lag, &json)
    }
  }

  private static func write(_ partition: SystemStatus.Partition, lag: Int64?, _ json: inout JSONWriter) {
    json.object { json in
      json.name("topic")
      json.string(partition.key.topic)
      json.name("partition")
      json.integer(partition.key.partition)
      json.name("next_offset")
      json.integer(partition.nextOffset)
      json.name("log_end_offset")
      integer(partition.logEnd, &json)
      json.name("lag")
      integer(lag, &json)
      json.name("max_event_at")
      time(partition.maximumEventAt, &json)
      json.name("last_message_at")
      time(partition.lastMessageAt, &json)
      json.name("fates")
      fates(partition.fates, &json)
    }
  }

  private static func write(_ topic: ForgottenTopic, _ json: inout JSONWriter) {
    json.object { json in
      json.name("topic")
      json.string(topic.topic)
      json.name("lost")
      json.integer(topic.lost)
      json.name("forgotten_at")
      time(topic.forgottenAt, &json)
      json.name("fates")
      fates(topic.fates, &json)
    }
  }

  private static func fates(_ fates: FateCounts, _ json: inout JSONWriter) {
    json.object { json in
      for fate in Fate.allCases {
        json.name(fate.column)
        json.integer(fates[fate])
      }
    }
  }

  private static func write(_ camera: SystemStatus.Camera, _ json: inout JSONWriter) {
    json.object { json in
      json.name("geographical_location_oid")
      json.quotedInteger(camera.key.location)
      json.name("video_camera_oid")
      json.quotedInteger(camera.key.camera)
      members(camera.counters, &json)
      json.name("last_seen")
      time(camera.lastSeen, &json)
    }
  }

  private static func members(_ counters: CameraCounters, _ json: inout JSONWriter) {
    for (name, count) in [
      ("counted", counters.counted), ("duplicates", counters.duplicates), ("conflicts", counters.conflicts),
      ("late", counters.late), ("future", counters.future),
    ] as [(StaticString, Int64)] {
      json.name(name)
      json.integer(count)
    }
    json.name("largest_skew_us")
    integer(counters.largestSkew, &json)
    json.name("latest_skew_us")
    integer(counters.latestSkew, &json)
  }

  private static func integer(_ value: Int64?, _ json: inout JSONWriter) {
    if let value { json.integer(value) } else { json.null() }
  }

  private static func time(_ time: Timestamp?, _ json: inout JSONWriter) {
    if let time { json.string(time.rfc3339) } else { json.null() }
  }
}
