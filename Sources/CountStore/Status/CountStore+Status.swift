import Counting
import Postgres

extension CountStore {
  /// How many cameras with problems a status names.
  public static let cameraProblemLimit = 20

  /// The state of the system, from one snapshot; the counters of cameras may be some seconds older. It reads all of
  /// `camera_tally` and the keys of dead letters and quarantined events: some ten milliseconds where these are full.
  ///
  /// - Throws: `CountStoreError.postgres`.
  public func status() throws(CountStoreError) -> SystemStatus {
    do {
      return try connection.transaction(isolation: .repeatableRead, readOnly: true) {
        _ throws(PostgresError) in try readStatus()
      }
    } catch {
      throw .postgres(error)
    }
  }

  private func readStatus() throws(PostgresError) -> SystemStatus {
    let labels = try connection.execute(
      """
      WITH labels AS (\(unescaped: Label.sql))
      SELECT revision, watermark, (SELECT count(*) FROM dead_letter), (SELECT count(*) FROM quarantine),
             (SELECT count(*) FROM camera_tally)
      FROM labels
      """
    )
    return SystemStatus(
      revision: try labels.int64(0, 0),
      watermark: try labels.optionalTimestamp(0, 1).map(Timestamp.init(microseconds:)),
      partitions: try partitions(),
      forgotten: try forgottenTopics(),
      deadLettersKept: try labels.int64(0, 2),
      quarantined: try labels.int64(0, 3),
      camerasKnown: try labels.int64(0, 4),
      cameraProblems: try cameraProblems(),
      otherCameras: try otherCameras(),
      workers: try workers()
    )
  }

  func partitions() throws(PostgresError) -> [SystemStatus.Partition] {
    let result = try connection.execute(
      """
      SELECT topic, partition, next_offset, log_end_offset, max_event_at, last_message_at,
             \(Fate.columns)
      FROM ingest_offset ORDER BY topic, partition
      """
    )
    var partitions: [SystemStatus.Partition] = []
    for row in 0..<result.count {
      partitions.append(
        SystemStatus.Partition(
          key: PartitionKey(topic: try result.string(row, 0), partition: try result.int32(row, 1)),
          nextOffset: try result.int64(row, 2),
          logEnd: try result.optionalInt64(row, 3),
          maximumEventAt: try result.optionalTimestamp(row, 4).map(Timestamp.init(microseconds:)),
          lastMessageAt: try result.optionalTimestamp(row, 5).map(Timestamp.init(microseconds:)),
          fates: try FateCounts(result, row, from: 6)
        )
      )
    }
    return partitions
  }

  /// Contradictions first: they are detections of which one version is lost.
  private func cameraProblems() throws(PostgresError) -> [SystemStatus.Camera] {
    let result = try connection.execute(
      """
      SELECT counted, duplicates, conflicts, late, future, largest_skew_us, latest_skew_us, last_seen,
             geographical_location_oid, video_camera_oid
      FROM camera_tally WHERE conflicts > 0 OR late > 0 OR future > 0
      ORDER BY conflicts DESC, late + future DESC, geographical_location_oid, video_camera_oid
      LIMIT \(Int64(Self.cameraProblemLimit))
      """
    )
    var cameras: [SystemStatus.Camera] = []
    for row in 0..<result.count {
      cameras.append(
        SystemStatus.Camera(
          key: CameraKey(location: try result.int64(row, 8), camera: try result.int64(row, 9)),
          counters: try Self.counters(result, row),
          lastSeen: try result.optionalTimestamp(row, 7).map(Timestamp.init(microseconds:))
        )
      )
    }
    return cameras
  }

  private func otherCameras() throws(PostgresError) -> CameraCounters {
    let result = try connection.execute(
      "SELECT counted, duplicates, conflicts, late, future, largest_skew_us, latest_skew_us FROM camera_overflow"
    )
    return result.count == 1 ? try Self.counters(result, 0) : CameraCounters()
  }

  private static func counters(_ result: borrowing QueryResult, _ row: Int) throws(PostgresError)
    -> CameraCounters
  {
    var counters = CameraCounters()
    counters.counted = try result.int64(row, 0)
    counters.duplicates = try result.int64(row, 1)
    counters.conflicts = try result.int64(row, 2)
    counters.late = try result.int64(row, 3)
    counters.future = try result.int64(row, 4)
    counters.largestSkew = try result.optionalInt64(row, 5)
    counters.latestSkew = try result.optionalInt64(row, 6)
    return counters
  }
}
