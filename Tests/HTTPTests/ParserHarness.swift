import HTTP
import Testing

/// What a parser made of some bytes, in a form that can be compared.
enum Outcome: Equatable, CustomStringConvertible {
  case request(method: Method, target: String, path: String, fields: Fields, body: [UInt8], persists: Bool)
  case expectsContinue
  case failure(ProtocolError)

  var description: String {
    switch self {
    case .request(let method, let target, _, _, let body, _): "\(method.rawValue) \(target) +\(body.count)"
    case .expectsContinue: "100"
    case .failure(let error): "\(error.status.rawValue)"
    }
  }
}

/// All that comes out when the bytes come in pieces of these lengths; what the lengths leave over is one more piece.
func outcomes(_ bytes: [UInt8], pieces: [Int] = [], limits: RequestLimits = RequestLimits()) -> [Outcome] {
  var parser = RequestParser(limits: limits)
  var outcomes: [Outcome] = []
  var start = 0
  for length in pieces + [bytes.count] {
    let end = min(start + length, bytes.count)
    let piece = Array(bytes[start..<end])
    start = end
    var position = 0
    events: while true {
      switch parser.parse(piece.span, from: &position) {
      case .needMore:
        #expect(position == piece.count, "needMore means that all input is used")
        break events
      case .content(_, let expectsContinue):
        if expectsContinue { outcomes.append(.expectsContinue) }
      case .request(let request):
        outcomes.append(
          .request(
            method: request.method,
            target: request.target.raw,
            path: request.target.decodedPath,
            fields: request.fields,
            body: request.body,
            persists: request.persists
          )
        )
      case .failure(let error): return outcomes + [.failure(error)]
      }
    }
  }
  return outcomes
}

/// What comes out of the whole; an issue is recorded if it differs when the bytes are split anywhere, or come one by
/// one. Long inputs are split at the places around their ends only.
func outcomesHoweverSplit(
  _ text: String,
  limits: RequestLimits = RequestLimits(),
  sourceLocation: SourceLocation = #_sourceLocation
) -> [Outcome] {
  outcomesHoweverSplit(Array(text.utf8), limits: limits, sourceLocation: sourceLocation)
}

func outcomesHoweverSplit(
  _ bytes: [UInt8],
  limits: RequestLimits = RequestLimits(),
  sourceLocation: SourceLocation = #_sourceLocation
) -> [Outcome] {
  let whole = outcomes(bytes, limits: limits)
  let splits =
    bytes.count <= 2000 ? Array(0...bytes.count) : Array(0...90) + Array((bytes.count - 40)...bytes.count)
  for split in splits {
    let parts = outcomes(bytes, pieces: [split], limits: limits)
    #expect(parts == whole, "split at \(split)", sourceLocation: sourceLocation)
  }
  let single = outcomes(bytes, pieces: Array(repeating: 1, count: bytes.count), limits: limits)
  #expect(single == whole, "byte by byte", sourceLocation: sourceLocation)
  return whole
}
