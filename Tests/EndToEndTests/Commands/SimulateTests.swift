import Counting
import Foundation
import Glibc
import TestSupport
import Testing

extension EndToEnd {
  @Suite("topitems simulate")
  struct SimulateTests {
    @Test("sends as many messages as asked for, and the same seed and start time give the same truth")
    func repeatable() throws {
      let start = ISO8601DateFormatter().string(from: Date() - 60)
      let options = ["--rate", "0", "--count", "5000", "--start-time", start]
      let first = try truth(options + ["--seed", "7"])
      #expect(first.summary.messages == 5000)
      #expect(first.summary[.duplicate] > 300 && first.summary[.counted] > 4000)
      #expect(try truth(options + ["--seed", "7"]).text == first.text)
      #expect(try truth(options + ["--seed", "8"]).text != first.text)
    }

    @Test("its truth is what a worker counts")
    func truthIsTrue() throws {
      try Deployment.with { deployment in
        let file = try TemporaryFile("truth")
        let simulator = try deployment.simulator(["--rate", "20000", "--count", "20000"], truth: file)
        #expect(try simulator.wait(within: .seconds(30)) == .exited(0), "\(simulator.story)")
        try deployment.drain()
        #expect(try TruthFile(file.path).differences(deployment.connect()) == [])
      }
    }

    @Test("--count 0 sends nothing and ends with 0")
    func nothing() throws {
      #expect(try truth(["--count", "0"]).summary.messages == 0)
    }

    @Test(
      "SIGTERM ends the stream in good order: 0, with the truth about what was sent",
      arguments: [SIGTERM, SIGINT]
    )
    func stopped(signal: Int32) throws {
      let deployment = try Deployment(databaseURL: "", broker: Broker.running())
      let file = try TemporaryFile("truth")
      let simulator = try deployment.simulator(["--rate", "1000"], truth: file)
      try simulator.waitForErrors(containing: "seed", within: .seconds(20))
      Thread.sleep(forTimeInterval: 0.3)  // some messages more
      simulator.signal(signal)
      #expect(try simulator.wait(within: .seconds(20)) == .exited(0), "\(simulator.story)")
      #expect(try TruthFile(file.path).summary.messages > 0)
    }

    @Test("what cannot be sent ends with 1, with the reason and without a truth")
    func failures() throws {
      let broker = try Broker.running()
      let file = try TemporaryFile("truth", content: "an old one")
      let cases: [(options: [String], named: String)] = [
        (
          ["--brokers", "127.0.0.1:1", "--partitions", "4", "--kafka", "message.timeout.ms=500"],
          "not acknowledged"
        ),
        (["--brokers", broker.address, "--truth", "/nowhere/truth"], "/nowhere/truth"),
      ]
      for (options, named) in cases {
        let run = try ProcessRunner.run(
          ["simulate", "--count", "10", "--truth", file.path] + options,
          within: .seconds(40)
        )
        #expect(run.ending == .exited(1) && run.errors.contains(named), "\(options): \(run)")
      }
      #expect(!FileManager.default.fileExists(atPath: file.path))
    }

    private func truth(_ options: [String]) throws -> (summary: TruthFile.Summary, text: String) {
      let deployment = try Deployment(databaseURL: "", broker: Broker.running())
      let file = try TemporaryFile("truth")
      let simulator = try deployment.simulator(options, truth: file)
      let ending = try simulator.wait(within: .seconds(30))
      guard ending == .exited(0) else { throw TestSupportError("\(ending)\(simulator.story)") }
      return (try TruthFile(file.path).summary, try String(contentsOfFile: file.path, encoding: .utf8))
    }
  }
}
