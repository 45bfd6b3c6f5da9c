import APICore

/// In which format an address answers.
enum AddressFormat: Sendable {
  /// As the `Accept` field says.
  case negotiated
  /// As its suffix says, whatever the `Accept` field says.
  case suffix(Format)
  /// A stream of pages.
  case stream

  /// Whether the response may be CSV.
  var mayBeCSV: Bool {
    switch self {
    case .negotiated, .suffix(.csv): true
    case .suffix, .stream: false
    }
  }

  /// The format of this request.
  func format(_ parameters: inout ParameterReader, accept: String?) -> Format {
    switch self {
    case .suffix(let format): return format
    case .stream: return .page
    case .negotiated:
      do throws(APIError) {
        return try Format.negotiate(accept)
      } catch {
        parameters.fail(error)
        return .page
      }
    }
  }

  /// Which part of the result is asked for.
  func paging(_ parameters: inout ParameterReader, _ format: Format) -> Paging {
    switch self {
    case .negotiated: Paging(&parameters, format: format)
    case .suffix, .stream: Paging()
    }
  }

  /// The path whose query is answered: a stream follows the response at another address.
  func questionPath(_ path: String) -> String {
    switch self {
    case .negotiated, .suffix: path
    case .stream: String(path.dropLast("/stream".count))
    }
  }
}
