import Counting
import Postgres

extension CountStore {
  /// What brings the counts of late events to every level that already covers their time, and lists those of a time
  /// that is being folded. Counts of the present, almost all of them, belong to no other level yet.
  ///
  /// They come after the minutes' upsert, in the same transaction: rows are locked from the finest level up, by key.
  static func rollupQueries(_ counts: WindowedCounts, _ marks: RollupMarks) -> [Query] {
    guard let oldest = counts.sums.lazy.map(\.windowStart).min() else { return [] }
    var queries: [Query] = []
    for level in RollupLevel.allCases {
      let mark = marks[level]
      if oldest < mark.foldedUntil.microseconds {
        queries.append(upsert(counts, level, below: mark.foldedUntil))
      }
    }
    for level in RollupLevel.allCases {
      let mark = marks[level]
      if mark.foldedUntil < mark.foldingUntil, oldest < mark.foldingUntil.microseconds {
        queries.append(list(counts, level, mark))
      }
    }
    return queries
  }

  private static func upsert(_ counts: WindowedCounts, _ level: RollupLevel, below mark: Timestamp) -> Query {
    """
    INSERT INTO \(unescaped: level.table) AS stored (geographical_location_oid, window_start, item_id, item_count)
    SELECT location, date_trunc('\(unescaped: level.rawValue)', window_start, 'UTC'), item_id,
           sum(item_count)::bigint
    FROM unnest(\(counts.locations), \(timestamps: counts.windowStarts), \(counts.itemIDs), \(counts.counts))
      AS batch(location, window_start, item_id, item_count)
    WHERE window_start < \(timestamp: mark.microseconds)
    GROUP BY 1, 2, 3 ORDER BY 1, 2, 3
    ON CONFLICT (geographical_location_oid, window_start, item_id)
    DO UPDATE SET item_count = stored.item_count + excluded.item_count
    """
  }

  private static func list(_ counts: WindowedCounts, _ level: RollupLevel, _ mark: RollupMark) -> Query {
    """
    INSERT INTO rollup_change (level, geographical_location_oid, window_start, item_id, item_count)
    SELECT '\(unescaped: level.rawValue)', location,
           date_trunc('\(unescaped: level.rawValue)', window_start, 'UTC'), item_id, sum(item_count)::bigint
    FROM unnest(\(counts.locations), \(timestamps: counts.windowStarts), \(counts.itemIDs), \(counts.counts))
      AS batch(location, window_start, item_id, item_count)
    WHERE window_start >= \(timestamp: mark.foldedUntil.microseconds)
      AND window_start < \(timestamp: mark.foldingUntil.microseconds)
    GROUP BY 2, 3, 4
    """
  }
}
