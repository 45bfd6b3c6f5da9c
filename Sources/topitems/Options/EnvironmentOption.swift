import ArgumentParser
import Glibc

/// Options that can also be given as environment variables: `--database-url` as `TOPITEMS_DATABASE_URL`.
///
/// What was typed wins; an empty variable is as good as none. Declare the option as an optional, with
/// `help: .option("database-url", "…")`, and read it with ``value(_:_:)`` or ``required(_:_:)``.
enum EnvironmentOption {
  /// The variable of an option, which is given without its dashes.
  static func variable(_ name: String) -> String {
    "TOPITEMS_" + name.uppercased().replacing("-", with: "_")
  }

  /// The value that was typed, else the variable's, else `nil`.
  ///
  /// - Throws: a variable that cannot be read. Its value is not shown: it may be a secret.
  static func value<Value: ExpressibleByArgument>(_ name: String, _ typed: Value?) throws -> Value? {
    if let typed { return typed }
    guard let text = text(name) else { return nil }
    guard let value = Value(argument: text) else {
      throw ValidationError(
        "The value of the environment variable \(variable(name)) is invalid for --\(name)."
      )
    }
    return value
  }

  /// The same for an option that there must be.
  static func required<Value: ExpressibleByArgument>(_ name: String, _ typed: Value?) throws -> Value {
    guard let value = try value(name, typed), (value as? String) != "" else {
      throw ValidationError("Missing --\(name), or the environment variable \(variable(name)).")
    }
    return value
  }

  /// The same for an option that may be repeated; in the variable, its values are separated by white space.
  static func values(_ name: String, _ typed: [String]) -> [String] {
    typed.isEmpty ? (text(name) ?? "").split(whereSeparator: \.isWhitespace).map(String.init) : typed
  }

  /// The same for a flag: set when typed, or when its variable says `1` or `true`.
  ///
  /// - Throws: a variable that says neither that nor `0` or `false`.
  static func flag(_ name: String, _ typed: Bool) throws -> Bool {
    if typed { return true }
    switch text(name)?.lowercased() {
    case nil, "0", "false": return false
    case "1", "true": return true
    default: throw ValidationError("The environment variable \(variable(name)) must be 1 or 0.")
    }
  }

  private static func text(_ name: String) -> String? {
    guard let value = getenv(variable(name)).map({ String(cString: $0) }), !value.isEmpty else { return nil }
    return value
  }
}

extension ArgumentHelp {
  /// The help of the option `name`, with its default and its variable.
  static func option(
    _ name: String,
    _ text: String,
    default value: String? = nil,
    valueName: String? = nil
  ) -> ArgumentHelp {
    let origin = value.map { "default: \($0); " } ?? ""
    return ArgumentHelp("\(text) (\(origin)env: \(EnvironmentOption.variable(name)))", valueName: valueName)
  }
}

/// A whole number within bounds.
enum NumberOption {
  /// The value that was typed, else the variable's, else `nil`.
  /// - Throws: a number that is out of bounds, by its option's name.
  static func value(_ name: String, _ typed: Int?, in range: ClosedRange<Int>) throws -> Int? {
    guard let value = try EnvironmentOption.value(name, typed) else { return nil }
    guard range.contains(value) else {
      throw ValidationError("--\(name) must be from \(range.lowerBound) to \(range.upperBound).")
    }
    return value
  }
}
