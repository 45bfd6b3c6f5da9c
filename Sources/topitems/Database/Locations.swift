import ArgumentParser
import CountStore
import Counting
import Glibc
import Postgres

/// `topitems locations`: Dataset B.
struct Locations: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Manage the names of the locations.",
    discussion: """
        topitems locations import locations.csv --dry-run
      """,
    subcommands: [Import.self]
  )

  /// `topitems locations import`
  struct Import: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Take over the names of locations from a file.",
      discussion: """
        The file is CSV or NDJSON, with the columns geographical_location_oid and geographical_location:

          geographical_location_oid,geographical_location
          42,Gate A

        Locations are added and renamed; none is removed without --replace, and more than half of all only with --yes. A file with a wrong row or with an oid \
        that is there twice is refused whole. Running servers show the names at once.

          topitems locations import locations.csv --dry-run
          psql -c 'COPY (SELECT …) TO STDOUT WITH (FORMAT csv, HEADER)' | topitems locations import -
        """
    )

    @OptionGroup var database: DatabaseOptions
    @Argument(help: "The file, or - for standard input.") var file: String
    @Flag(help: .option("dry-run", "Only show what would change.")) var dryRun = false
    // Without a variable: forgotten in an environment, it would remove locations.
    @Flag(help: "Remove the locations that the file does not have; their counts stay.")
    var replace = false
    @Flag(help: "With --replace: also when more than half of all names go.")
    var yes = false

    func run() throws {
      let dryRun = try EnvironmentOption.flag("dry-run", dryRun)
      let locations = try parse(InputFile.read(file))
      let connection = try Connection(
        database.connection(for: "locations", statementTimeoutSeconds: 60, writing: !dryRun)
      )
      defer { connection.close() }
      let changes = try CountStore(connection).importLocations(
        locations,
        replace: replace,
        isConfirmed: yes,
        dryRun: dryRun
      )
      show(changes, dryRun: dryRun, replace: replace)
      if changes.isRefused, !dryRun {
        throw RefusedError(
          description: "nothing was changed: more than half of all names would go; see --yes"
        )
      }
    }

    private func parse(_ bytes: [UInt8]) throws -> [Location] {
      do {
        return try LocationFile.parse(bytes)
      } catch {
        throw InputError(description: "\(file) is refused, nothing was changed:\n\(error)")
      }
    }

    private func show(_ changes: LocationChanges, dryRun: Bool, replace: Bool) {
      if dryRun {
        for location in changes.added { print("+ \(location.oid) \(location.name)") }
        for (old, new) in changes.renamed { print("~ \(old.oid) \(old.name) → \(new.name)") }
        if replace { for location in changes.missing { print("- \(location.oid) \(location.name)") } }
      }
      let share = changes.isRefused ? " of \(changes.storedBefore), which needs --yes" : ""
      let missing =
        replace
        ? "\(changes.missing.count) removed\(share)" : "\(changes.missing.count) not in the file, kept"
      print(
        "\(changes.added.count) added, \(changes.renamed.count) changed, \(missing)"
          + (dryRun ? " (dry run)" : changes.isRefused ? " (refused)" : "")
      )
    }
  }
}

/// Input that cannot be used.
struct InputError: Error, CustomStringConvertible {
  var description: String
}

/// A file that a person names, or standard input.
enum InputFile {
  private static let maximumBytes = 256 << 20

  /// - Parameter path: `-` is standard input.
  static func read(_ path: String) throws(InputError) -> [UInt8] {
    let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else {
      throw InputError(description: "\(path): \(String(cString: strerror(errno)))")
    }
    defer { if path != "-" { close(descriptor) } }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0, errno == EINTR { continue }
      guard count >= 0 else { throw InputError(description: "\(path): \(String(cString: strerror(errno)))") }
      if count == 0 { return bytes }
      bytes += buffer[..<count]
      guard bytes.count <= maximumBytes else {
        throw InputError(description: "\(path): larger than \(maximumBytes >> 20) MiB")
      }
    }
  }
}
