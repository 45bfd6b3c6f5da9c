import APICore
import CountStore

/// How identifiers are written; counts and ranks are numbers either way.
enum IntegerStyle: String, CaseIterable, ParameterValue {
  case string
  case number
}

/// How values are written, which changes nothing of what they are.
struct Display: Equatable {
  /// How identifiers are written.
  var integers = IntegerStyle.string
  /// The time zone in which times are written; nil for UTC.
  var timeZone: String?
  /// Whether text that a spreadsheet would take for a formula is disarmed in CSV.
  var escapesFormulas = true

  init() {}

  /// - Parameters:
  ///   - hasIdentifiers: whether the rows have 64-bit identifiers.
  ///   - hasTimes: whether they have times.
  init(
    _ parameters: inout ParameterReader,
    _ address: AddressFormat,
    hasIdentifiers: Bool,
    hasTimes: Bool
  ) {
    if hasIdentifiers {
      integers = parameters.one(
        "int64",
        expected: "string or number",
        default: .string,
        IntegerStyle.init(rawValue:)
      )
    }
    if hasTimes {
      let zone = parameters.one("tz", expected: APIError.expectedTimeZone, default: "UTC") { text in
        Self.isTimeZone(text) ? text : nil
      }
      timeZone = zone == "UTC" ? nil : zone
    }
    if address.mayBeCSV { escapesFormulas = parameters.flag("escape_formulas", default: true) }
  }

  /// Whether it can be a name of the IANA database. PostgreSQL, which knows them, takes much else for a time zone too,
  /// such as `FOO+3`; nothing of that has a slash, and neither digits nor signs behind it, but a name like `Etc/GMT+3`.
  private static func isTimeZone(_ text: String) -> Bool {
    text.utf8.count <= 64
      && text.wholeMatch(of: /UTC|Etc\/GMT[-+][0-9]{1,2}|[A-Z][A-Za-z_]*(\/[A-Z][A-Za-z_]*(-[A-Za-z_]+)*)+/)
        != nil
  }
}
