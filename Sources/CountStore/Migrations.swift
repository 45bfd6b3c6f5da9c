import Postgres

extension CountStore {
  /// The files of `migrations/`, in their order. They are part of the binary; one that has landed never changes.
  public static let migrations: [Migration] = [
    Migration(
      version: 1,
      name: "0001_counts.sql",
      sql: String(decoding: PackageResources._001_counts_sql, as: UTF8.self)
    ),
    Migration(
      version: 2,
      name: "0002_rollups.sql",
      sql: String(decoding: PackageResources._002_rollups_sql, as: UTF8.self)
    ),
    Migration(
      version: 3,
      name: "0003_cameras.sql",
      sql: String(decoding: PackageResources._003_cameras_sql, as: UTF8.self)
    ),
    Migration(
      version: 4,
      name: "0004_camera_notes.sql",
      sql: String(decoding: PackageResources._004_camera_notes_sql, as: UTF8.self)
    ),
    Migration(
      version: 5,
      name: "0005_bi.sql",
      sql: String(decoding: PackageResources._005_bi_sql, as: UTF8.self)
    ),
    Migration(
      version: 6,
      name: "0006_workers.sql",
      sql: String(decoding: PackageResources._006_workers_sql, as: UTF8.self)
    ),
    Migration(
      version: 7,
      name: "0007_clock_guard.sql",
      sql: String(decoding: PackageResources._007_clock_guard_sql, as: UTF8.self)
    ),
    Migration(
      version: 8,
      name: "0008_retention_settings.sql",
      sql: String(decoding: PackageResources._008_retention_settings_sql, as: UTF8.self)
    ),
    Migration(
      version: 9,
      name: "0009_topics.sql",
      sql: String(decoding: PackageResources._009_topics_sql, as: UTF8.self)
    ),
  ]
}
