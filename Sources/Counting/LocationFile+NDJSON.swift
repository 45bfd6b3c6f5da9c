import FoundationEssentials

extension LocationFile {
  private struct Row: Decodable {
    var geographical_location_oid: Int64
    var geographical_location: String
  }

  /// Any object: the decoder reports a number that does not fit its type as if the JSON were wrong.
  private struct AnyRow: Decodable {}

  /// One JSON object a line; unknown fields are ignored, empty lines too.
  mutating func readNDJSON(_ bytes: [UInt8], skipping prefix: Int) {
    let decoder = JSONDecoder()
    var line = 0
    for text in bytes.dropFirst(prefix).split(separator: 0x0A, omittingEmptySubsequences: false) {
      line += 1
      guard problems.count < Self.maximumProblems else { return }
      guard text.contains(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0D }) else { continue }
      do {
        let row = try decoder.decode(Row.self, from: Data(text))
        add(oid: row.geographical_location_oid, name: row.geographical_location, line: line)
      } catch let error as DecodingError {
        let isJSON = (try? decoder.decode(AnyRow.self, from: Data(text))) != nil
        if case .dataCorrupted = error, isJSON {
          report(line, "\(Self.oidColumn) is no 64-bit integer")
        } else {
          report(line, Self.explain(error))
        }
      } catch {
        report(line, "\(error)")
      }
    }
  }

  private static func explain(_ error: DecodingError) -> String {
    switch error {
    case .keyNotFound(let key, _): "\(key.stringValue) is missing"
    case .typeMismatch(let type, let context), .valueNotFound(let type, let context):
      context.codingPath.last.map {
        "\($0.stringValue) is no \(type == String.self ? "string" : "64-bit integer")"
      }
        ?? "not a JSON object"
    case .dataCorrupted: "not valid JSON"
    @unknown default: "not valid JSON"
    }
  }
}
