import Foundation
import Glibc
import Postgres
import TestSupport

/// A stream of 60 s, one worker and soon two, which are killed in turns. On a busy machine a worker's life takes
/// longer: the stream flows until enough of them were killed.
struct KilledWorkers {
  private let deployment: Deployment
  private let seed: UInt64
  private let truthFile: TemporaryFile
  private let connection: Connection
  private var random: SplitMix
  private var kills: [KillReport.Kill] = []
  private var workers: [Life] = []
  private var sharedSince: Duration = .seconds(1000)

  /// A worker's run, and the offsets at its start.
  private struct Life {
    let process: ProcessRunner
    let offsetsAtStart: Int64
  }

  /// Tansu keeps a killed member until its session ends, a static one that is back already as well; a short session
  /// makes for more lives in the time.
  private static let session = 2500

  init(_ deployment: Deployment, seed: UInt64) throws {
    self.deployment = deployment
    self.seed = seed
    random = SplitMix(state: seed)
    truthFile = try TemporaryFile("truth")
    connection = try deployment.connect()
  }

  /// Plays it all.
  func run() throws -> KillReport {
    var copy = self
    return try copy.play()
  }

  private mutating func play() throws -> KillReport {
    let server = try APIServer(databaseURL: deployment.databaseURL)
    try server.waitUntilReady()
    let observer = Observer(deployment, server)
    let simulator = try deployment.simulator(["--rate", "5000", "--seed", "\(seed)"], truth: truthFile)
    let began = ContinuousClock.now
    try killWorkers(beside: simulator, since: began)
    simulator.signal(SIGTERM)
    let seconds = (ContinuousClock.now - began) / .seconds(1)
    let ending = try simulator.wait(within: .seconds(60))
    guard ending == .exited(0) else {
      throw TestSupportError("\(simulator.name): \(ending)\(simulator.story)")
    }

    for life in workers { try stop(life.process) }
    try deployment.drain()
    let observed = try observer.finish()
    let truth = try TruthFile(truthFile.path)
    let differences = try truth.differences(connection)
    let answers = try server.differences(from: truth)
    try stop(server.process)
    return KillReport(
      seed: seed,
      kills: kills,
      streamSeconds: seconds,
      sharedSeconds: seconds - sharedSince / .seconds(1),
      summary: truth.summary,
      observations: observed.count,
      observedProblems: observed.problems,
      databaseDifferences: differences,
      answerDifferences: answers,
      processesLeft: try deployment.processes()
    )
  }

  /// Whether the stream was long enough, and enough workers were killed, alone and in a group of two; or it is
  /// hopeless.
  private func isEnough(after time: Duration) -> Bool {
    if time >= .seconds(400) { return true }
    return time >= .seconds(60) && kills.count >= KillReport.leastKills
      && kills.count { $0.isShared } >= KillReport.leastSharedKills && time >= sharedSince * 2
  }

  /// Kills one worker after the other, in turns when there are two.
  private mutating func killWorkers(beside simulator: ProcessRunner, since began: ContinuousClock.Instant)
    throws
  {
    var victim = 0
    while !isEnough(after: ContinuousClock.now - began) {
      // One life takes some 7 s: the second worker starts before the middle of the stream.
      let isSecondHalf = ContinuousClock.now - began > .seconds(22)
      while workers.count < (isSecondHalf ? 2 : 1) {
        workers.append(try start())
        if workers.count == 2 { sharedSince = ContinuousClock.now - began }
      }
      victim = (victim + 1) % workers.count
      // With two of them, both are to be at work.
      for life in workers {
        try life.process.waitUntil(within: .seconds(40), "it commits a batch") {
          guard simulator.isRunning else { throw TestSupportError("the simulator ended\(simulator.story)") }
          return life.process.hasSaid(committed)
        }
      }

      let delay = random.below(301)
      usleep(UInt32(delay) * 1000)
      let life = workers[victim]
      life.process.signal(SIGKILL)
      let ending = try life.process.wait(within: .seconds(10))
      guard ending == .killed(signal: SIGKILL) else {
        throw TestSupportError("\(life.process.name) ended by itself: \(ending)\(life.process.story)")
      }
      kills.append(
        KillReport.Kill(
          worker: victim,
          isShared: workers.count == 2,
          delayMilliseconds: delay,
          advancedBy: try deployment.accountedFor(connection) - life.offsetsAtStart,
          secondsIntoTheStream: (ContinuousClock.now - began) / .seconds(1)
        )
      )
      workers[victim] = try start()
    }
  }

  private func start() throws -> Life {
    let offsets = try deployment.accountedFor(connection)
    return Life(
      process: try deployment.worker(sessionMilliseconds: Self.session),
      offsetsAtStart: offsets
    )
  }

  private func stop(_ process: ProcessRunner) throws {
    // A process that was started a moment ago may not listen to signals yet: its first line says that it does.
    try process.waitUntil(within: .seconds(20), "it listens to signals") { !process.errors.isEmpty }
    process.signal(SIGTERM)
    let ending = try process.wait(within: .seconds(15))
    guard ending == .exited(0) else { throw TestSupportError("\(process.name): \(ending)\(process.story)") }
  }
}

/// Sebastiano Vigna's generator: the same kills for the same seed, as far as the machine's timing allows.
struct SplitMix {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9e37_79b9_7f4a_7c15
    var z = state
    z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
    z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
    return z ^ (z >> 31)
  }

  mutating func below(_ bound: Int) -> Int { Int(next() % UInt64(bound)) }
}
