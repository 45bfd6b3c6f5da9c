import Foundation
import TestSupport
import Testing

extension EndToEnd {
  @Suite("Usage")
  struct UsageTests {
    private static let database = "--database-url=postgresql://u:s3cr3t@127.0.0.1:1/x"
    private static let ingest = ["ingest", "--brokers", "127.0.0.1:1", database]

    @Test(
      "wrong usage ends with 2, names what is wrong, and shows the usage of the command",
      arguments: [
        (["nope"], "nope"), (["--nope"], "--nope"), (["migrate", "--nope"], "--nope"),
        (["migrate"], "--database-url"), (["ingest", database], "--brokers"),
        (["ingest", "--brokers", "x:1"], "--database-url"), (["serve"], "--database-url"),
        (["simulate"], "--brokers"), (["locations", "import"], "file"),
        (["locations", "import", "/dev/null/x", "extra"], "extra"),
        (ingest + ["--batch-messages", "0"], "--batch-messages"),
        (ingest + ["--batch-messages", "many"], "--batch-messages"),
        (ingest + ["--batch-messages", "99999999999999999999"], "--batch-messages"),
        (ingest + ["--allowed-skew", "5"], "--allowed-skew"),
        (ingest + ["--dedup-horizon", "P1Y"], "--dedup-horizon"),
        (ingest + ["--timestamp-unit", "days"], "--timestamp-unit"),
        (ingest + ["--log-level", "loud"], "--log-level"),
        (ingest + ["--kafka", "sasl.password"], "--kafka"),
        (ingest + ["--kafka", "no.such.setting=1"], "no.such.setting"),
        (ingest + ["--kafka", "fetch.wait.max.ms=soon"], "fetch.wait.max.ms"),
        (["serve", database, "--listen", "nowhere"], "--listen"),
        (["serve", database, "--listen", "127.0.0.1:65536"], "--listen"),
        (["serve", database, "--workers", "0"], "--workers"),
        (["simulate", "--brokers", "x:1", "--rate=-1"], "rate"),
        (["simulate", "--brokers", "x:1", "--count=-1"], "--count"),
        (["simulate", "--brokers", "x:1", "--duplicates", "1.5"], "duplicates"),
        (["simulate", "--brokers", "x:1", "--late", "0.6", "--future", "0.6"], "late"),
        (["simulate", "--brokers", "x:1", "--start-time", "now"], "--start-time"),
        (["simulate", "--brokers", "x:1", "--kafka", "linger.ms=-7"], "linger.ms"),
      ]
    )
    func wrong(arguments: [String], named: String) throws {
      let run = try ProcessRunner.run(arguments, within: .seconds(20))
      #expect(run.ending == .exited(2), "\(arguments): \(run)")
      #expect(run.output == "" && run.errors.contains(named) && run.errors.contains("Usage: "), "\(run)")
      if let command = arguments.first, ["migrate", "ingest", "serve", "simulate"].contains(command) {
        #expect(run.errors.contains("Usage: topitems \(command)"), "\(run)")
      }
    }

    @Test(
      "without /proc, where Swift finds no arguments, it fails instead of doing something else",
      .enabled(if: SmallVolume.isWanted, "left out, as FAULT_MOUNT=0 says"),
      arguments: [["migrate"], ["--version"], []]
    )
    func withoutProc(arguments: [String]) throws {
      // Hidden in a mount namespace of its own; that needs the right to mount, as a full disk does.
      let hide = "mount -t tmpfs none /proc && exec \"$0\" \"$@\""
      let run = try ProcessRunner(
        "/usr/bin/unshare",
        ["--mount", "sh", "-c", hide, ProcessRunner.binary()] + arguments
      )
      #expect(try run.wait(within: .seconds(20)) == .exited(1), "\(run.output)\(run.story)")
      #expect(run.output == "" && run.errors.contains("/proc"), "\(run.output)\(run.story)")
    }

    @Test("an unreadable variable is named; an empty one is as good as none")
    func variables() throws {
      let wrong = try ProcessRunner.run(
        Self.ingest,
        environment: ["TOPITEMS_BATCH_MESSAGES": "many"],
        within: .seconds(20)
      )
      #expect(wrong.ending == .exited(2) && wrong.errors.contains("TOPITEMS_BATCH_MESSAGES"), "\(wrong)")
      let empty = try ProcessRunner.run(["migrate"], environment: ["TOPITEMS_DATABASE_URL": ""])
      #expect(empty.ending == .exited(2) && empty.errors.contains("TOPITEMS_DATABASE_URL"), "\(empty)")
    }

    @Test(
      "--help ends with 0 and shows an example",
      arguments: ["", "migrate", "ingest", "serve", "simulate", "locations", "locations import"]
    )
    func help(command: String) throws {
      let run = try ProcessRunner.run(command.split(separator: " ").map(String.init) + ["--help"])
      #expect(run.ending == .exited(0) && run.errors == "", "\(run)")
      let name = command == "locations" ? "locations import" : command
      // An example stands at the beginning of a line, behind variables or behind a pipe.
      let lines = run.output.split(separator: "\n").filter { !$0.hasPrefix("USAGE: ") }
      #expect(lines.contains { $0.hasPrefix("  ") && $0.contains("topitems \(name)") }, "\(run.output)")
    }

    @Test("a librdkafka that is too old is refused with the reason", .enabled(if: Self.systemLibraryIsOld))
    func oldLibrary() throws {
      // Without the variable the linker finds the system's. Where that is new enough, the version check itself is
      // all there is to test: KafkaLibraryTests.
      for arguments in [Self.ingest, ["simulate", "--brokers", "127.0.0.1:1", "--count", "1"]] {
        let run = try ProcessRunner.run(arguments, environment: ["LD_LIBRARY_PATH": nil])
        #expect(run.ending == .exited(1), "\(run)")
        #expect(run.errors.contains("is too old, 2.2 or newer is required"), "\(run)")
        #expect(run.errors.contains("LD_LIBRARY_PATH"), "\(run)")
      }
      let run = try ProcessRunner.run(["migrate", "--help"], environment: ["LD_LIBRARY_PATH": nil])
      #expect(run.ending == .exited(0), "\(run)")
    }

    private static var systemLibraryIsOld: Bool {
      guard
        let check = try? ProcessRunner("/usr/bin/env", ["pkg-config", "--atleast-version=2.2", "rdkafka"]),
        let ending = try? check.wait(within: .seconds(10))
      else { return false }
      return ending == .exited(1)
    }

    @Test(
      "no output shows a password",
      arguments: [
        ["migrate", database], ["migrate", "postgresql://u:s3cr3t@127.0.0.1:1/x"],
        ["migrate", "--database-url", "postgresql://u:s3cr3t@127.0.0.1:port/x"],
        ["migrate", "--database-url", "postgresql://u:s3cr3t@[::1/x"],
        ["migrate", "--database-url", "postgresql://u:s3cr3t@h/more@127.0.0.1:1/x"],
        ["migrate", "--database-url", "postgres:/u:s3cr3t@127.0.0.1:1/x"],
        ["migrate", "--database-url", "host=127.0.0.1 port=1 password=s3cr3t"],
        ["migrate", "--database-url", "postgresql://127.0.0.1:1/x?password=s3cr3t&colour=red"],
        ["migrate", "--database-url", "host=127.0.0.1 port=1 password='s3cr3t"],
        ["serve", database, "--listen", "postgresql://u:s3cr3t@127.0.0.1:1/x"],
        ["serve", database, "--workers", "postgresql://u:s3cr3t@127.0.0.1:1/x"],
        ingest + ["sasl.password=s3cr3t"], ingest + ["--kafka", "sasl.pasword=s3cr3t"],
        ingest + ["--kafka", "ssl.key.password=s3cr3t", "--kafka", "ssl.key.location=/nowhere"],
        ingest + ["--kafka", "security.protocol=sasl_plaintext", "--kafka", "sasl.password=s3cr3t"],
        ["locations", "import", "-", "--database-url", "postgresql://u:s3cr3t@127.0.0.1:1/x"],
      ]
    )
    func secrets(arguments: [String]) throws {
      let process = try ProcessRunner(arguments, input: Array("x".utf8))
      // A worker keeps trying: it is given a moment.
      let deadline = ContinuousClock.now + .seconds(2)
      while process.isRunning, ContinuousClock.now < deadline { Thread.sleep(forTimeInterval: 0.02) }
      process.end()
      #expect(process.errors != "", "\(arguments)")
      for text in [process.output, process.errors] { #expect(!text.contains("s3cr3t"), "\(arguments)") }
    }
  }
}
