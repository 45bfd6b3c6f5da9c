import Counting
import Foundation
import TestSupport
import Testing

/// Everything at once, for as long as `SOAK_SECONDS` says: `make soak` takes ten minutes.
@Suite("Soak")
struct SoakTests {
  @Test("a minute of joins, leaves, ended sessions and a stopped worker, and every count is exact")
  func soak() async throws {
    let environment = ProcessInfo.processInfo.environment
    let plan = Soak.Plan(
      seconds: environment["SOAK_SECONDS"].flatMap { Int($0) } ?? 60,
      rate: environment["SOAK_RATE"].flatMap { Int($0) } ?? 1000
    )
    let report = try await onThread { try Deployment.with { try Soak($0, plan).run() } }
    let about = Comment(rawValue: report.description)
    if environment["SOAK_PRINT"] != nil { print(report) }
    let summary = try #require(report.summary)
    #expect(summary.messages >= Int64(plan.seconds * plan.rate / 2), about)
    #expect(summary[.duplicate] > summary.messages / 20, about)
    #expect(report.stops >= Soak.Plan.leastStops, "stopped inside COPY: \(about)")
    #expect(report.sessionsEndedByWorkers >= report.stops, about)
    #expect(report.joins >= plan.leastJoins && report.leaves >= report.joins - 1, about)
    #expect(report.endedSessions >= plan.leastEndedSessions, about)
    #expect(report.problems == [], about)
  }
}

/// What happened.
struct SoakReport: Sendable, CustomStringConvertible {
  var seconds: Double = 0
  var summary: TruthFile.Summary?
  var joins = 0
  var leaves = 0
  var endedSessions = 0
  var stops = 0
  var sessionsEndedByWorkers = 0
  /// Between two commits, whosever.
  var longestSilence: Int64 = 0
  var drainSeconds: Double = 0
  /// Resident memory of the two lasting workers, in KiB, early and at the end; descriptors likewise.
  var memory: [[Int]] = []
  var descriptors: [[Int]] = []
  var problems: [String] = []

  var description: String {
    """
    soak: \(Int(seconds)) s, \(summary?.messages ?? 0) messages: \(summary?[.counted] ?? 0) counted, \
    \(summary?[.duplicate] ?? 0) duplicates, \(summary?[.late] ?? 0) late, \(summary?[.future] ?? 0) future, \
    \(summary?[.deadLetter] ?? 0) dead letters, \(summary?[.tombstone] ?? 0) tombstones
    soak: \(joins) joins, \(leaves) leaves, \(endedSessions) sessions ended, \(stops) workers stopped inside COPY, \
    \(sessionsEndedByWorkers) of their sessions ended by another worker
    soak: no commit for \(longestSilence) s at most, drained in \(Int(drainSeconds)) s; KiB resident \(memory), descriptors \(descriptors)
    soak: \(problems.isEmpty ? "I1 to I6 hold" : problems.joined(separator: "\n  "))
    """
  }
}
