import Foundation

/// A program that a test needs, run to its end.
public struct Tool: Sendable {
  /// Its exit status, or 128 + the signal's number.
  public let status: Int32
  /// What it wrote, standard error included.
  public let output: String

  /// Runs it. A program that is not installed has the status 127.
  public init(_ command: [String]) throws {
    let path = NSTemporaryDirectory() + "topitems-tool-\(UUID().uuidString)"
    defer { try? FileManager.default.removeItem(atPath: path) }
    status = try ChildProcess(command, in: NSTemporaryDirectory(), output: path).wait()
    output = String(decoding: try Data(contentsOf: URL(fileURLWithPath: path)), as: UTF8.self)
  }
}
