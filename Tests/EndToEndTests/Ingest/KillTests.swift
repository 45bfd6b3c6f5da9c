import Counting
import Foundation
import TestSupport
import Testing

/// The main promise, on real parts: whatever happens to the workers, each detection is counted exactly once.
@Suite("Workers that are killed")
struct KillTests {
  @Test("a minute of 5,000 events/s is counted exactly once, although the worker is killed again and again")
  func exactlyOnce() async throws {
    // A thread of its own: this takes more than a minute, and other tests share few threads.
    let report = try await onThread {
      try Deployment.with { try KilledWorkers($0, seed: .random(in: .min ... .max)).run() }
    }
    let about = Comment(rawValue: report.description)
    #expect(report.kills.count >= KillReport.leastKills, about)
    #expect(report.kills.allSatisfy { $0.delayMilliseconds <= 300 && $0.advancedBy > 0 }, about)
    let sharedKills = report.kills.count { $0.isShared }
    #expect(sharedKills >= KillReport.leastSharedKills, "killed while two workers shared the group: \(about)")
    #expect(report.sharedSeconds >= report.streamSeconds / 2, about)
    #expect(report.streamSeconds >= 60, about)
    #expect(
      Double(report.summary.messages) <= report.streamSeconds * 5000 + 5000,
      "no faster than that: \(about)"
    )
    #expect(report.summary.messages >= 100_000, about)
    #expect(report.summary[.duplicate] > 8_000 && report.summary[.deadLetter] > 500, about)
    #expect(report.observations > 10, about)
    #expect(report.observedProblems == [], "I3 and I4, while it ran: \(about)")
    #expect(report.databaseDifferences == [], "I1, I2, I4 and I5: \(about)")
    #expect(report.answerDifferences == [], "the API's answers: \(about)")
    #expect(report.processesLeft == [], about)
  }
}

/// Runs blocking work on a thread of its own.
func onThread<T: Sendable>(_ body: @escaping @Sendable () throws -> T) async throws -> T {
  try await withCheckedThrowingContinuation { continuation in
    Thread.detachNewThread { continuation.resume(with: Result(catching: body)) }
  }
}

/// What happened.
struct KillReport: Sendable, CustomStringConvertible {
  struct Kill: Sendable, CustomStringConvertible {
    var worker: Int
    /// Whether another worker was at work at that time.
    var isShared: Bool
    /// Since the first commit of this worker's life was seen.
    var delayMilliseconds: Int
    /// How far the offsets advanced in this worker's life.
    var advancedBy: Int64
    var secondsIntoTheStream: Double

    var description: String {
      "worker \(worker)\(isShared ? " of two" : "") at \(Int(secondsIntoTheStream)) s, "
        + "\(delayMilliseconds) ms after a commit, \(advancedBy) messages on"
    }
  }

  static let leastKills = 5
  static let leastSharedKills = 2

  var seed: UInt64
  var kills: [Kill]
  var streamSeconds: Double
  /// How long two workers shared the group while the stream flowed.
  var sharedSeconds: Double
  var summary: TruthFile.Summary
  var observations: Int
  var observedProblems: [String]
  var databaseDifferences: [String]
  var answerDifferences: [String]
  var processesLeft: [String]

  var description: String {
    let problems = observedProblems + databaseDifferences + answerDifferences + processesLeft
    return "seed \(seed), a stream of \(Int(streamSeconds)) s, shared for \(Int(sharedSeconds)) s, "
      + "\(observations) observations, \(kills.count) kills:\n"
      + (kills.map(\.description) + problems).joined(separator: "\n")
  }
}
