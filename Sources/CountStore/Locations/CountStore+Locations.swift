import Counting
import Postgres

/// How a list of locations differs from the stored one.
public struct LocationChanges: Sendable, Equatable {
  /// In the list, but not stored.
  public var added: [Location] = []
  /// Stored under another name.
  public var renamed: [(old: Location, new: Location)] = []
  /// Stored, but not in the list.
  public var missing: [Location] = []
  /// Stored before, in all.
  public var storedBefore = 0
  /// Nothing was stored: more than half of the names would have gone, and that was not confirmed.
  public var isRefused = false

  /// Whether to remove the missing ones is to remove more than half of all.
  public var removesMoreThanHalf: Bool { missing.count > storedBefore - missing.count }

  /// Field by field; tuples have no conformance of their own.
  public static func == (a: LocationChanges, b: LocationChanges) -> Bool {
    a.added == b.added && a.missing == b.missing && a.storedBefore == b.storedBefore
      && a.isRefused == b.isRefused && a.renamed.map(\.old) == b.renamed.map(\.old)
      && a.renamed.map(\.new) == b.renamed.map(\.new)
  }
}

extension CountStore {
  /// Compares a list with the stored locations and, unless it is a dry run, stores it.
  ///
  /// - Parameters:
  ///   - locations: each oid once.
  ///   - replace: whether stored locations that are not in the list are removed (their counts stay).
  ///   - isConfirmed: whether more than half of all names may be removed; otherwise nothing is stored then.
  /// - Throws: `PostgresError`.
  public func importLocations(
    _ locations: [Location],
    replace: Bool,
    isConfirmed: Bool = false,
    dryRun: Bool
  ) throws(PostgresError) -> LocationChanges {
    try connection.transaction { _ throws(PostgresError) in
      // Against a second import at the same time: the changes reported are the changes made.
      try connection.run(script: "LOCK TABLE location IN SHARE ROW EXCLUSIVE MODE")
      var changes = try difference(locations)
      changes.isRefused = replace && !isConfirmed && changes.removesMoreThanHalf
      let removed = replace ? changes.missing : []
      let touched = (changes.added + changes.renamed.map(\.new) + removed).map(\.oid)
      guard !dryRun, !changes.isRefused, !touched.isEmpty else { return changes }

      let upserts = changes.added + changes.renamed.map(\.new)
      _ = try connection.execute(
        """
        INSERT INTO location (geographical_location_oid, geographical_location)
        SELECT * FROM unnest(\(upserts.map(\.oid))::bigint[], \(upserts.map(\.name))::text[])
        ON CONFLICT (geographical_location_oid) DO UPDATE SET geographical_location = excluded.geographical_location
        """
      )
      _ = try connection.execute(
        "DELETE FROM location WHERE geographical_location_oid = ANY (\(removed.map(\.oid))::bigint[])"
      )
      _ = try recordRevision(locations: touched.count <= 1000 ? touched.sorted() : nil)
      return changes
    }
  }

  private func difference(_ locations: [Location]) throws(PostgresError) -> LocationChanges {
    let result = try connection.execute(
      "SELECT geographical_location_oid, geographical_location FROM location ORDER BY geographical_location_oid"
    )
    var stored: [Int64: String] = [:]
    for row in 0..<result.count { stored[try result.int64(row, 0)] = try result.string(row, 1) }

    var changes = LocationChanges()
    changes.storedBefore = stored.count
    for location in locations {
      guard let name = stored.removeValue(forKey: location.oid) else {
        changes.added.append(location)
        continue
      }
      // By bytes: a String comparison would call a composed and a decomposed "é" the same name.
      if !name.utf8.elementsEqual(location.name.utf8) {
        changes.renamed.append((old: Location(oid: location.oid, name: name), new: location))
      }
    }
    changes.missing = stored.sorted { $0.key < $1.key }.map { Location(oid: $0.key, name: $0.value) }
    return changes
  }
}
