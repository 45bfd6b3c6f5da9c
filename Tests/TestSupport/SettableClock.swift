import Foundation
import Glibc

/// The wall clock of one server, by libfaketime, which reads the offset from a file at each call.
///
/// The monotonic clocks stay as they are: PostgreSQL's timers hang when they are changed.
struct SettableClock: Sendable {
  private let file: String
  private let programs: PostgresPrograms
  /// For the server's start.
  let environment: [String: String]

  init(in folder: String, with programs: PostgresPrograms) throws {
    guard let library = Self.library() else {
      throw TestSupportError("libfaketime is missing; install it: apt-get install faketime")
    }
    file = folder + "/clock"
    self.programs = programs
    environment = [
      "LD_PRELOAD": library, "FAKETIME_TIMESTAMP_FILE": file, "FAKETIME_NO_CACHE": "1",
      "FAKETIME_DONT_FAKE_MONOTONIC": "1", "DONT_FAKE_MONOTONIC": "1", "FAKETIME_DONT_RESET": "1",
    ]
    try set(ahead: 0)
  }

  /// In one step: a reader finds the old offset or the new one.
  func set(ahead seconds: Int) throws {
    let fresh = file + ".new"
    try programs.write((seconds < 0 ? "\(seconds)" : "+\(seconds)") + "\n", to: fresh)
    guard rename(fresh, file) == 0 else {
      throw TestSupportError("cannot write \(file): \(String(cString: strerror(errno)))")
    }
  }

  private static func library() -> String? {
    let folders = (try? FileManager.default.contentsOfDirectory(atPath: "/usr/lib")) ?? []
    let places = folders.map { "/usr/lib/\($0)/faketime" } + ["/usr/lib/faketime", "/usr/local/lib/faketime"]
    return places.map { $0 + "/libfaketime.so.1" }.first { FileManager.default.fileExists(atPath: $0) }
  }
}
