import ArgumentParser
import CountStore
import Postgres

/// `topitems migrate`: brings the database to what this binary needs.
struct Migrate: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Create or update the tables.",
    discussion: """
      Idempotent, and safe to run twice at once: the second waits for the first. Migrations only go forward; an \
      older binary goes on working on a newer database, if it knows migration 0004.

        TOPITEMS_DATABASE_URL=postgresql://topitems@db/topitems topitems migrate
      """
  )

  @OptionGroup var database: DatabaseOptions

  func run() throws {
    let connection = try Connection(
      database.connection(for: "migrate", statementTimeoutSeconds: nil, writing: true)
    )
    defer { connection.close() }
    let store = CountStore(connection)
    let applied = try store.migrate()
    try store.ensurePartitions()
    print(
      applied.isEmpty
        ? "the database is up to date" : applied.map { "applied \($0.name)" }.joined(separator: "\n")
    )
  }
}
