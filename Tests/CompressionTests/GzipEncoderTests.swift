import Compression
import Foundation
import Testing

@Suite("gzip")
struct GzipEncoderTests {
  static let bodies: [[UInt8]] = [
    [], [0], Array("a".utf8), Array(repeating: 7, count: 1_000_000),
    (0..<300_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 3) },
    (0..<200_000).map { _ in .random(in: .min ... .max) },
  ]

  @Test("what gunzip makes of it is what was compressed", arguments: bodies)
  func roundTrip(body: [UInt8]) throws {
    let coded = GzipEncoder.encode(body)
    #expect(coded.starts(with: [0x1F, 0x8B, 0x08]))
    #expect(try gunzip(coded) == body)
  }

  @Test("pieces make the same body, however they are cut", arguments: [1, 7, 4096, 65_537])
  func pieces(length: Int) throws {
    let body = Self.bodies[4].prefix(50_000)
    let encoder = GzipEncoder(level: 1)
    var coded: [UInt8] = []
    for start in stride(from: 0, to: body.count, by: length) {
      encoder.encode(Array(body[start..<min(start + length, body.count)]), to: &coded)
    }
    encoder.finish(to: &coded)
    #expect(try gunzip(coded) == Array(body))
  }

  @Test("a flush makes everything so far readable")
  func flush() throws {
    let encoder = GzipEncoder()
    var coded: [UInt8] = []
    encoder.encode(Array("the first row\n".utf8), to: &coded)
    encoder.flush(to: &coded)
    // Cut here, it is no whole member, but gunzip gives what it has read.
    #expect(try gunzip(coded, mayBeCut: true) == Array("the first row\n".utf8))
    encoder.finish(to: &coded)
    #expect(try gunzip(coded) == Array("the first row\n".utf8))
  }

  private func gunzip(_ bytes: [UInt8], mayBeCut: Bool = false) throws -> [UInt8] {
    let file = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    try Data(bytes).write(to: file)
    defer { try? FileManager.default.removeItem(at: file) }
    let process = Process()
    process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
    process.arguments = ["gzip", "--decompress", "--stdout"]
    process.standardInput = try FileHandle(forReadingFrom: file)
    process.standardError = FileHandle.nullDevice
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let read = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    #expect(mayBeCut || process.terminationStatus == 0)
    return [UInt8](read)
  }
}
