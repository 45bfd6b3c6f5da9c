import ArgumentParser
import CountStore
import Ingestion
import Postgres

/// The message of a failed command, and its exit status.
struct CommandFailure {
  /// nil for what is no failure, such as a request for help.
  private(set) var message: String?
  private(set) var status: ExitCode

  /// - Parameter command: the command that failed while it ran; nil when the arguments could not be parsed.
  init(_ error: any Error, of command: (any ParsableCommand.Type)?) {
    typealias Root = TopItemsCommand
    status = Root.exitCode(for: error)
    if status == .validationFailure {
      // ArgumentParser leaves with 64 (EX_USAGE) when the usage is wrong; this product's commands leave with 2.
      status = ExitCode(2)
      let text = command.map { "Error: \(Root.message(for: error))\nUsage: \(Root.usageString(for: $0))" }
      message = Self.withoutSecrets(text ?? Root.fullMessage(for: error))
    } else if let cause = Self.postgresError(error) {
      if cause.kind == .configuration { status = ExitCode(2) }
      message =
        "Error: \(error)"
        + (cause.isNotMigrated ? "\nThe database is not migrated: run 'topitems migrate'" : "")
    }
  }

  private static func postgresError(_ error: any Error) -> PostgresError? {
    switch error {
    case let error as PostgresError: error
    case IngestionError.database(let error): error
    default: nil
    }
  }

  /// ArgumentParser quotes what it does not understand, which may be a URL that was meant for an option.
  static func withoutSecrets(_ text: String) -> String {
    text.replacing(/:\/\/[^\s'"]*@/, with: "://…@")
      .replacing(/(?i)(password|secret)=[^\s'"&]+/) { "\($0.1)=…" }
  }
}
