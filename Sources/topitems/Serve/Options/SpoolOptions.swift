import ArgumentParser
import Glibc
import HTTPServer

/// Where streamed responses wait for clients that read them slowly.
struct SpoolOptions: ParsableArguments {
  @Option(
    help: .option(
      "spool-memory",
      "MiB of streamed responses that wait in memory for their clients to read them.",
      default: "64"
    )
  )
  var spoolMemory: Int?
  @Option(
    help: .option(
      "spool-disk",
      "MiB of them that wait in a file, if there is more; 0: none, and threads wait for slow clients.",
      default: "1024"
    )
  )
  var spoolDisk: Int?
  @Option(
    help: .option(
      "spool-folder",
      "Where that file is; it has no name and ends with the process.",
      default: "TMPDIR, or /var/tmp"
    )
  )
  var spoolFolder: String?

  func apply(to limits: inout Limits) throws {
    if let mebibytes = try NumberOption.value("spool-memory", spoolMemory, in: 1...1_000_000) {
      limits.spoolMemory = mebibytes << 20
    }
    if let mebibytes = try NumberOption.value("spool-disk", spoolDisk, in: 0...1_000_000_000) {
      limits.spoolDisk = mebibytes << 20
    }
    guard limits.spoolDisk > 0 else { return }
    let folder = try EnvironmentOption.value("spool-folder", spoolFolder) ?? Self.temporaryFolder
    guard access(folder, W_OK | X_OK) == 0 else {
      throw ValidationError(
        "--spool-folder must be a folder that this process can write to, and \(folder) is none; --spool-disk 0 needs none."
      )
    }
    limits.spoolFolder = folder
  }

  /// Not /tmp, which is often in memory (file-hierarchy(7)).
  private static var temporaryFolder: String {
    guard let folder = getenv("TMPDIR"), folder.pointee != 0 else { return "/var/tmp" }
    return String(cString: folder)
  }
}
