import Foundation
import Testing

@testable import Postgres

/// The table in docs/semantics.md is what the code does, for each SQLSTATE.
@Suite("What is done about a failure")
struct RemedyTests {
  private static let words: [String: PostgresError.Remedy] = [
    "retry the transaction": .retryTransaction, "renew the session": .renewSession, "wait": .wait,
    "refuse the message": .refuseMessage, "halt": .halt,
  ]

  /// The table's rows: codes, or classes as `53xxx`, and the remedy.
  private static func documented() throws -> [String: PostgresError.Remedy] {
    let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
      .deletingLastPathComponent()
    let text = try String(contentsOf: root.appendingPathComponent("docs/semantics.md"), encoding: .utf8)
    let section = try #require(
      text.components(separatedBy: "\n## Failures of PostgreSQL\n").dropFirst().first
    )
    let lines = section.components(separatedBy: "\n## ")[0].split(separator: "\n").filter {
      $0.hasPrefix("| `")
    }
    var table: [String: PostgresError.Remedy] = [:]
    for line in lines {
      let cells = line.split(separator: "|").map { $0.trimmingCharacters(in: .whitespaces) }
      let remedy = try #require(words[cells[2]], "\(line)")
      for code in cells[0].matches(of: /`([0-9A-Z]{2})([0-9A-Z]{3}|xxx)`/) {
        let key = code.2 == "xxx" ? String(code.1) : String(code.1 + code.2)
        #expect(table.updateValue(remedy, forKey: key) == nil, "\(key) is there twice")
      }
    }
    return table
  }

  private static func error(
    _ kind: PostgresError.Kind,
    _ state: String?,
    isStalePlan: Bool = false
  ) -> PostgresError {
    PostgresError(
      kind,
      "x",
      detail: nil,
      hint: nil,
      sqlState: state.map(SQLState.init(rawValue:)),
      sql: nil,
      constraint: nil,
      position: nil,
      isStalePlan: isStalePlan
    )
  }

  @Test("each SQLSTATE has the remedy of the table in docs/semantics.md, and one that is not there halts")
  func server() throws {
    let table = try Self.documented()
    let characters = Array("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ")
    let classes = characters.flatMap { first in characters.map { "\(first)\($0)" } }
    // Every class with every ending that the table, PostgreSQL's own codes or an extension may have.
    let endings = Set(table.keys.filter { $0.count == 5 }.map { String($0.suffix(3)) }).union(
      ["000", "001", "014", "100", "P00", "P02", "P03", "P04", "P11", "ZZZ"]
    )
    for code in classes.flatMap({ name in endings.map { name + $0 } }) {
      let expected = table[code] ?? table[String(code.prefix(2))] ?? .halt
      #expect(Self.error(.server, code).remedy == expected, "\(code)")
    }
    #expect(Self.error(.server, nil).remedy == .halt)
  }

  @Test(
    "some that must never change by accident",
    arguments: [
      ("25006", PostgresError.Remedy.renewSession), ("57P01", .renewSession), ("57P05", .renewSession),
      ("58030", .renewSession), ("26000", .renewSession), ("42P05", .renewSession), ("08006", .renewSession),
      ("08P01", .halt), ("40001", .retryTransaction), ("40P01", .retryTransaction),
      ("55P03", .retryTransaction),
      ("57014", .retryTransaction), ("55000", .halt), ("53100", .wait), ("53300", .wait),
      ("22021", .refuseMessage),
      ("23505", .refuseMessage), ("23514", .halt), ("22023", .halt), ("42P01", .halt), ("54000", .halt),
      ("0A000", .halt), ("25P02", .halt), ("XX000", .halt),
    ]
  )
  func examples(state: String, remedy: PostgresError.Remedy) {
    #expect(Self.error(.server, state).remedy == remedy)
  }

  @Test("a stale plan renews the session, although 0A000 halts")
  func stalePlan() {
    #expect(Self.error(.server, "0A000", isStalePlan: true).remedy == .renewSession)
  }

  @Test("where there is no session, only a lack of resources is classified apart")
  func connection() {
    for state in [nil, "57P01", "57P03", "08006", "28P01", "25006", "40001", "22021", "XX000"] {
      #expect(Self.error(.connection, state).remedy == .renewSession, "\(state ?? "none")")
    }
    #expect(Self.error(.connection, "53300").remedy == .wait)
  }

  @Test(
    "an unknown COMMIT renews the session, whatever its SQLSTATE",
    arguments: [nil, "57P01", "53100", "40001"]
  )
  func unknownCommit(state: String?) {
    #expect(Self.error(.commitUnknown, state).remedy == .renewSession)
  }

  @Test(
    "what fails on this side halts, but for a value that no message should have, and a pool that is exhausted"
  )
  func ownSide() {
    #expect(Self.error(.configuration, nil).remedy == .halt)
    #expect(Self.error(.protocol, "25001").remedy == .halt)
    #expect(Self.error(.value, nil).remedy == .halt)
    #expect(Self.error(.value, "54000").remedy == .halt)
    #expect(Self.error(.value, "22008").remedy == .refuseMessage)
    #expect(Self.error(.poolExhausted, nil).remedy == .wait)
  }

  @Test("the three that may pass are transient", arguments: PostgresError.Remedy.allCases)
  func transient(remedy: PostgresError.Remedy) {
    #expect(remedy.isTransient == [.retryTransaction, .renewSession, .wait].contains(remedy))
  }
}
