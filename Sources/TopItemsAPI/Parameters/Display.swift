import APICore
import Counting

/// How values are written, which changes nothing of what they are.
struct Display: Equatable {
  static let names = ["int64", "tz", "escape_formulas"]

  /// How identifiers are written.
  var integers = IntegerStyle.string
  /// The time zone in which times are written; nil for UTC.
  var timeZone: String?
  /// Whether text that a spreadsheet would take for a formula is disarmed in CSV.
  var escapesFormulas = true

  init() {}

  /// Reads those of the parameters that the route takes.
  init(_ parameters: Parameters) throws(APIError) {
    integers = try IntegerStyle.read(parameters)
    timeZone = try parameters.one("tz", expected: APIError.expectedTimeZone) { text in
      Self.isTimeZone(text) ? text : nil
    }
    if timeZone == "UTC" { timeZone = nil }
    escapesFormulas = try parameters.flag("escape_formulas", default: true)
  }

  /// Whether it can be a name of the IANA database. PostgreSQL, which knows them, takes much else for a time zone too,
  /// such as `FOO+3`; nothing of that has a slash, and neither digits nor signs behind it, but a name like `Etc/GMT+3`.
  private static func isTimeZone(_ text: String) -> Bool {
    text.utf8.count <= 64
      && text.wholeMatch(of: /UTC|Etc\/GMT[-+][0-9]{1,2}|[A-Z][A-Za-z_]*(\/[A-Z][A-Za-z_]*(-[A-Za-z_]+)*)+/)
        != nil
  }

  var canonicalQuery: String {
    "int64=\(integers.rawValue)&tz=\(timeZone ?? "UTC")\(escapesFormulas ? "" : "&formulas")"
  }
}
