import ArgumentParser
import Glibc
import Testing

@testable import topitems

/// Each test has variables of its own, as the environment is the process's.
@Suite("Options from the environment")
struct EnvironmentOptionTests {
  @Test("what was typed wins over the variable")
  func typed() throws {
    setenv("TOPITEMS_TEST_TYPED", "5", 1)
    #expect(try EnvironmentOption.value("test-typed", 3) == 3)
    #expect(try EnvironmentOption.value("test-typed", nil as Int?) == 5)
  }

  @Test("a variable that is not set, or empty, is none")
  func missing() throws {
    setenv("TOPITEMS_TEST_EMPTY", "", 1)
    for name in ["test-unset", "test-empty"] {
      #expect(try EnvironmentOption.value(name, nil as String?) == nil)
      #expect(EnvironmentOption.values(name, []) == [])
      #expect(throws: ValidationError.self) { try EnvironmentOption.required(name, nil as String?) }
    }
  }

  @Test("an unreadable variable is refused by name, and its value is not shown")
  func unreadable() throws {
    setenv("TOPITEMS_TEST_BAD", "s3cret", 1)
    let error = try #require(
      throws: ValidationError.self,
      performing: { try EnvironmentOption.value("test-bad", nil as Int?) }
    )
    #expect(error.message.contains("TOPITEMS_TEST_BAD") && error.message.contains("--test-bad"))
    #expect(!error.message.contains("s3cret"))
  }

  @Test("a repeated option is a list separated by white space")
  func repeated() {
    setenv("TOPITEMS_TEST_LIST", " linger.ms=1  client.id=a,b\n", 1)
    #expect(EnvironmentOption.values("test-list", []) == ["linger.ms=1", "client.id=a,b"])
    #expect(EnvironmentOption.values("test-list", ["acks=1"]) == ["acks=1"])
  }

  @Test("every option of every command names its variable", arguments: [Simulate.helpMessage(columns: 2_000)])
  func help(text: String) {
    let lines = text.split(separator: "\n").filter { $0.hasPrefix("  --") && !$0.contains("--version") }
    #expect(lines.count > 10)
    for line in lines {
      let name = line.dropFirst(4).prefix { $0 != " " && $0 != "," }
      #expect(text.contains("env: \(EnvironmentOption.variable(String(name))))"), "\(line)")
    }
  }
}
