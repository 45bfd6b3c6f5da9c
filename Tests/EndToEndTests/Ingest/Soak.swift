import Foundation
import Glibc
import Postgres
import TestSupport

/// Two lasting workers, a third that comes and goes, a thread that ends PostgreSQL's sessions, and a lasting worker
/// that is stopped inside COPY for longer than its session with Kafka lasts. On a busy machine all of that takes
/// longer: the stream flows until there was enough of each.
struct Soak {
  struct Plan: Sendable {
    /// How long at least.
    var seconds: Int
    var rate: Int
    /// Between two joins or leaves of the third worker.
    var churnSeconds = 5.0
    /// Between two ends of a session.
    var killSeconds = 2.0
    /// Between two stops of a worker; the first comes a quarter of that after the beginning.
    var stopSeconds = 60.0

    /// How much of each there must be.
    var leastJoins: Int { seconds / 15 }
    var leastEndedSessions: Int { seconds / 4 }
    static let leastStops = 1
  }

  private let deployment: Deployment
  private let plan: Plan
  private let truthFile: TemporaryFile
  private let connection: Connection
  /// The worker that is stopped reaches PostgreSQL through it: delayed, its COPY is long enough to be met.
  private let proxy: FaultProxy
  private var report = SoakReport()
  private var guest: ProcessRunner?
  private var stopped: Stopped?
  /// The last time that a member came, left or was stopped, and how often the steady worker had got partitions by then.
  private var lastChange = (time: ContinuousClock.now, assignments: 0)

  /// A worker that is stopped, the session that it holds locks with, and until when at least.
  private struct Stopped {
    let backendPid: Int32
    var until: ContinuousClock.Instant
    var isReported = false
  }

  private static let session = 6000
  private static let victimName = "topitems ingest victim"

  init(_ deployment: Deployment, _ plan: Plan) throws {
    self.deployment = deployment
    self.plan = plan
    truthFile = try TemporaryFile("truth")
    connection = try deployment.connect()
    proxy = try FaultProxy(to: deployment.databaseURL)
  }

  /// Plays it all.
  func run() throws -> SoakReport {
    var copy = self
    defer { proxy.close() }
    return try copy.play()
  }

  private mutating func play() throws -> SoakReport {
    let steady = try deployment.worker(sessionMilliseconds: Self.session)
    let victim = try deployment.worker(
      sessionMilliseconds: Self.session,
      environment: ["TOPITEMS_DATABASE_URL": victimURL]
    )
    let watch = InvariantWatch(url: deployment.databaseURL, interval: 0.2)
    // Tansu looks through all of a partition's record batches for each fetch: few and large ones, or in the end it
    // finds none within a fetch's time.
    let simulator = try deployment.simulator(
      ["--rate", "\(plan.rate)", "--kafka", "linger.ms=200"],
      truth: truthFile
    )
    let began = ContinuousClock.now
    try disturb(simulator, steady: steady, victim: victim, since: began)
    simulator.signal(SIGTERM)
    let ending = try simulator.wait(within: .seconds(60))
    guard ending == .exited(0) else { throw TestSupportError("simulate: \(ending)\(simulator.story)") }
    report.seconds = (ContinuousClock.now - began) / .seconds(1)

    try resume(victim, steady: steady, isDue: true)
    for worker in [guest, victim, steady].compactMap({ $0 }) { try end(worker) }
    let draining = ContinuousClock.now
    try deployment.drain(within: .seconds(120))
    report.drainSeconds = (ContinuousClock.now - draining) / .seconds(1)
    report.problems += try watch.stop()
    let truth = try TruthFile(truthFile.path)
    report.summary = truth.summary
    report.problems += try truth.differences(connection) + Invariants.violations(connection)
    try checkLeftovers()
    return report
  }

  /// Whether all that the plan is about has happened; or it is hopeless.
  private func isEnough(after time: Duration) -> Bool {
    if time >= .seconds(plan.seconds * 2 + 240) { return true }
    return time >= .seconds(plan.seconds) && report.memory.count >= 2 && stopped == nil
      && report.stops >= Plan.leastStops && report.joins >= plan.leastJoins
      && report.endedSessions >= plan.leastEndedSessions
  }

  /// What the workers are exposed to, until it is enough.
  private mutating func disturb(
    _ simulator: ProcessRunner,
    steady: ProcessRunner,
    victim: ProcessRunner,
    since began: ContinuousClock.Instant
  ) throws {
    var nextChurn = began + .seconds(plan.churnSeconds)
    var nextKill = began + .seconds(plan.killSeconds)
    var nextStop = began + .seconds(min(plan.stopSeconds, Double(plan.seconds)) / 4)
    var nextLook = began + .seconds(min(30, Double(plan.seconds) / 3))
    let lastLook = began + .seconds(Double(plan.seconds) - 2)
    while !isEnough(after: ContinuousClock.now - began) {
      for worker in [steady, victim, simulator] where !worker.isRunning {
        throw TestSupportError("\(worker.name) has ended\(worker.story)")
      }
      let now = ContinuousClock.now
      if now >= nextChurn, stopped == nil, isSettled(steady) {
        nextChurn = now + .seconds(plan.churnSeconds)
        try churn()
        recordChange(steady)
      }
      if now >= nextKill {
        nextKill = now + .seconds(plan.killSeconds)
        try endASession()
        try recordSilence()
      }
      // Late stops would prolong it, unless there was none yet.
      let isLate = now >= began + .seconds(plan.seconds - 10) && report.stops >= Plan.leastStops
      if now >= nextStop, stopped == nil, !isLate, isSettled(steady) {
        if try stopInsideCopy(victim) {
          nextStop = now + .seconds(plan.stopSeconds)
          recordChange(steady)
        }
      }
      let wasStopped = stopped != nil
      try resume(victim, steady: steady, isDue: false)
      if wasStopped, stopped == nil { recordChange(steady) }
      if now >= nextLook, stopped == nil || now >= lastLook {
        nextLook = report.memory.isEmpty && now < lastLook ? lastLook : now + .seconds(3600)
        report.memory.append([steady, victim].map { $0.kibibytes("VmRSS") })
        report.descriptors.append([steady, victim].map(\.descriptors))
      }
      usleep(50_000)
    }
  }

  private var victimURL: String {
    let url = proxy.url(deployment.databaseURL)
    let name = Self.victimName.replacing(" ", with: "%20")
    return url + (url.contains("?") ? "&" : "?") + "application_name=\(name)"
  }

  // MARK: The disturbances

  /// Whether the group knows of the last change. When a member leaves before it does, or is stopped and so leaves when
  /// its session ends, Tansu may never give that group an assignment again.
  private func isSettled(_ steady: ProcessRunner) -> Bool {
    ContinuousClock.now - lastChange.time > .seconds(40)
      || steady.count(of: "] assigned ") > lastChange.assignments
  }

  private mutating func recordChange(_ steady: ProcessRunner) {
    lastChange = (.now, steady.count(of: "] assigned "))
  }

  private mutating func churn() throws {
    if let leaving = guest {
      guest = nil
      try end(leaving)
      report.leaves += 1
    } else {
      guest = try deployment.worker(sessionMilliseconds: Self.session)
      report.joins += 1
    }
  }

  private mutating func endASession() throws {
    let result = try connection.execute(
      """
      SELECT pg_terminate_backend(pid) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'topitems ingest%'
        AND pid <> \(stopped?.backendPid ?? 0)
      ORDER BY random() LIMIT 1
      """
    )
    report.endedSessions += result.count
  }

  /// Tries for a short while to stop the worker while it is inside COPY, and stays there.
  private mutating func stopInsideCopy(_ victim: ProcessRunner) throws -> Bool {
    // Slow batches are large ones; small ones do without COPY.
    proxy.delay(milliseconds: 200)
    defer { proxy.delay(milliseconds: 0) }
    let deadline = ContinuousClock.now + .seconds(8)
    while ContinuousClock.now < deadline {
      guard let pid = try copyingSession() else {
        usleep(2000)
        continue
      }
      victim.signal(SIGSTOP)
      // What is on its way through the proxy may still end the COPY.
      usleep(600_000)
      if try copyingSession() == pid {
        stopped = Stopped(
          backendPid: pid,
          until: ContinuousClock.now + .milliseconds(Self.session) + .seconds(4)
        )
        report.stops += 1
        return true
      }
      victim.signal(SIGCONT)
    }
    return false
  }

  private func copyingSession() throws -> Int32? {
    let result = try connection.execute(
      """
      SELECT pid FROM pg_stat_activity
      WHERE datname = current_database() AND application_name = \(Self.victimName)
        AND query LIKE 'COPY detection%' AND state = 'active' AND wait_event = 'ClientRead'
      """
    )
    return result.count > 0 ? try result.int32(0, 0) : nil
  }

  /// Lets the stopped worker go on once its session with Kafka is over and another worker has ended the one that it
  /// has with PostgreSQL.
  private mutating func resume(_ victim: ProcessRunner, steady: ProcessRunner, isDue: Bool) throws {
    guard let stopped else { return }
    let deadline = ContinuousClock.now + .seconds(isDue ? 40 : 0)
    while true {
      let isGone =
        try connection.execute(
          "SELECT count(*) FROM pg_stat_activity WHERE pid = \(stopped.backendPid)"
        ).int64(0, 0) == 0
      if isGone, ContinuousClock.now >= stopped.until {
        report.sessionsEndedByWorkers += 1
        break
      }
      if ContinuousClock.now >= deadline {
        guard isDue else { return }
        report.problems.append("the stopped worker's session was not ended")
        break
      }
      usleep(50_000)
    }
    victim.signal(SIGCONT)
    self.stopped = nil
  }

  private func end(_ worker: ProcessRunner) throws {
    // A process that was started a moment ago may not listen to signals yet: its first line says that it does.
    try worker.waitUntil(within: .seconds(20), "it listens to signals") { !worker.errors.isEmpty }
    worker.signal(SIGTERM)
    let ending = try worker.wait(within: .seconds(15))
    guard ending == .exited(0) else { throw TestSupportError("\(worker.name): \(ending)\(worker.story)") }
  }

  // MARK: Looking

  private mutating func recordSilence() throws {
    let seconds = try connection.execute(
      "SELECT extract(epoch FROM clock_timestamp() - max(last_message_at))::bigint FROM ingest_offset"
    )
    report.longestSilence = max(report.longestSilence, try seconds.optionalInt64(0, 0) ?? 0)
  }

  /// I6: connections, descriptors and memory return to where they were.
  private mutating func checkLeftovers() throws {
    let left = try connection.execute(
      """
      SELECT count(*) FROM pg_stat_activity
      WHERE datname = current_database() AND application_name LIKE 'topitems ingest%'
      """
    ).int64(0, 0)
    if left != 0 { report.problems.append("I6: \(left) sessions are left") }
    for values in [report.memory, report.descriptors] where values.count == 2 {
      for (early, late) in zip(values[0], values[1]) {
        let slack = values == report.memory ? 100_000 : 12
        if late > early + slack { report.problems.append("I6: it grew from \(early) to \(late)") }
      }
    }
    report.problems += try deployment.processes().map { "I6: left over: \($0)" }
  }
}
