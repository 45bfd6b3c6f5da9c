import ArgumentParser
import Counting

/// A length of time, as ISO 8601 writes it.
enum DurationOption {
  /// - Parameters:
  ///   - name: the option's, for the error.
  ///   - limit: in seconds.
  /// - Returns: seconds, at least one.
  static func seconds(_ text: String, _ name: String, atMost limit: Int64) throws -> Int64 {
    guard let span = TimeSpan(iso8601: text), (1...limit).contains(span.microseconds / 1_000_000) else {
      throw ValidationError(
        "--\(name) must be an ISO 8601 duration such as PT5M or P7D, of \(limit / 86_400) days at most."
      )
    }
    return span.microseconds / 1_000_000
  }
}
