import Postgres

extension CountStore {
  /// Finds the ids of item names and adds those that are missing, in a commit of its own, so that a batch that is
  /// rolled back leaves them behind for the next one and no batch holds their locks.
  ///
  /// - Parameter names: UTF-8 bytes, each name once.
  /// - Returns: the ids, in the order of the names.
  /// - Throws: `PostgresError`.
  public func internItems(_ names: [[UInt8]]) throws(PostgresError) -> [Int64] {
    if let ids = try itemIDs(names) { return ids }
    // Sorted by the unique key: two workers that meet the same new names take their locks in the same order.
    try commitAhead([
      """
      INSERT INTO item (name_sha256, item_name)
      SELECT sha256(name), convert_from(name, 'UTF8') FROM unnest(\(names)) AS new(name)
      WHERE NOT EXISTS (SELECT FROM item WHERE name_sha256 = sha256(name))
      ORDER BY 1
      ON CONFLICT (name_sha256) DO NOTHING
      """
    ])
    guard let ids = try itemIDs(names) else {
      throw PostgresError(
        .protocol,
        "an item name that was just stored cannot be found; was the table item changed?"
      )
    }
    return ids
  }

  /// The ids of the names, or nil when one of them is not stored.
  private func itemIDs(_ names: [[UInt8]]) throws(PostgresError) -> [Int64]? {
    let result = try connection.execute(
      """
      SELECT coalesce(item_id, 0) FROM unnest(\(names)) WITH ORDINALITY AS wanted(name, position)
      LEFT JOIN item ON name_sha256 = sha256(name)
      ORDER BY position
      """
    )
    var ids: [Int64] = []
    ids.reserveCapacity(result.count)
    for row in 0..<result.count {
      let id = try result.int64(row, 0)
      guard id != 0 else { return nil }
      ids.append(id)
    }
    return ids
  }
}
