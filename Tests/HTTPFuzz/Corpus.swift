import Foundation

/// Inputs that are worth changing: connections of HTTP/1.1 (`*.http`), targets (`targets.txt`), frames of HTTP/2
/// (`*.h2`, after the preface and the SETTINGS that every connection begins with), questions to the API
/// (`questions.txt`) and messages of the topic (`events.txt`).
struct Corpus {
  let requests: [[UInt8]]
  let targets: [[UInt8]]
  let frames: [[UInt8]]
  let questions: [[UInt8]]
  let events: [[UInt8]]

  init(folder: String) throws {
    func files(_ suffix: String) throws -> [[UInt8]] {
      let names = try FileManager.default.contentsOfDirectory(atPath: folder).sorted()
      return try names.filter { $0.hasSuffix(suffix) }.map {
        Array(try Data(contentsOf: URL(fileURLWithPath: "\(folder)/\($0)")))
      }
    }
    func lines(_ name: String) throws -> [[UInt8]] {
      try files(name).flatMap { $0.split(separator: UInt8(ascii: "\n")).map(Array.init) }
    }
    requests = try files(".http")
    targets = try lines("targets.txt")
    questions = try lines("questions.txt")
    events = try lines("events.txt")
    frames = try files(".h2")
  }
}

/// The seed and the number of the round that is running, in a file that outlives a trap.
struct Progress {
  private let words: UnsafeMutablePointer<UInt64>

  init(file: String) throws {
    let descriptor = open(file, O_RDWR | O_CREAT, 0o644)
    guard descriptor >= 0, ftruncate(descriptor, 16) == 0,
      let memory = mmap(nil, 16, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0), memory != MAP_FAILED
    else { throw CocoaError(.fileWriteUnknown) }
    words = memory.bindMemory(to: UInt64.self, capacity: 2)
  }

  var last: (seed: UInt64, round: UInt64) {
    get { (words[0], words[1]) }
    nonmutating set { (words[0], words[1]) = newValue }
  }
}
