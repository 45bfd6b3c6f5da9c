import Foundation
import Sockets
import Testing

@Suite("a file without a name")
struct UnlinkedFileTests {
  @Test("keeps what is written at any place, leaves nothing in its folder, and can be emptied")
  func use() throws {
    let folder = NSTemporaryDirectory() + UUID().uuidString
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: false)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let file = try UnlinkedFile(in: folder)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [])
    try file.write([4, 5, 6], at: 100_000)
    try file.write([1, 2, 3], at: 0)
    #expect(try file.read(3, at: 0) == [1, 2, 3] && file.read(2, at: 100_001) == [5, 6])
    try file.empty()
    #expect(throws: SystemError.self, "what was never written is no zero") { try file.read(3, at: 0) }
    try file.write([7], at: 0)
    #expect(try file.read(1, at: 0) == [7])
  }

  @Test("is refused where there is no folder")
  func noFolder() {
    #expect(throws: SystemError.self) { try UnlinkedFile(in: "/nowhere") }
  }
}
