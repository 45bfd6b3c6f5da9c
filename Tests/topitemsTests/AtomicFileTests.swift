import Foundation
import Testing

@testable import topitems

@Suite("An atomic file")
struct AtomicFileTests {
  private func inFolder(_ body: (String) throws -> Void) throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "topitems-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    try body(folder)
  }

  @Test("appears whole, and an earlier one goes at once")
  func whole() throws {
    try inFolder { folder in
      let path = folder + "/truth"
      try Data("old".utf8).write(to: URL(filePath: path))
      let file = try AtomicFile(replacing: path)
      #expect(!FileManager.default.fileExists(atPath: path))
      try file.write { append throws(FileError) in
        try append(Array("ne".utf8))
        try append([])
        try append(Array("w".utf8))
      }
      #expect(try String(contentsOfFile: path, encoding: .utf8) == "new")
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == ["truth"])
    }
  }

  @Test("leaves nothing behind when writing fails")
  func failure() throws {
    try inFolder { folder in
      let file = try AtomicFile(replacing: folder + "/truth")
      #expect(throws: FileError.self) {
        try file.write { append throws(FileError) in
          try append([1])
          throw FileError(path: "x", reason: "made up")
        }
      }
      #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    }
  }

  @Test(
    "is refused where it cannot be, before anything is written",
    arguments: ["/dev/null", "/", "/nowhere/truth"]
  )
  func refused(path: String) {
    #expect(throws: FileError.self) { try AtomicFile(replacing: path) }
  }
}
