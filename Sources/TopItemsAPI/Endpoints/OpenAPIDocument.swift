import JSONText
import Yams

/// `openapi.yaml` as JSON. The contract is written in YAML for people and served as JSON for programs.
enum OpenAPIDocument {
  /// What can be wrong with the text beyond YAML itself.
  struct Unreadable: Error {}

  /// The document of this binary, converted once. Should it be unreadable, that is our own mistake, and traps.
  static let embedded: [UInt8] = {
    do {
      return try json(yaml: String(decoding: PackageResources.openapi_yaml, as: UTF8.self))
    } catch {
      preconditionFailure("openapi.yaml: \(error)")
    }
  }()

  static func json(yaml: String) throws -> [UInt8] {
    guard let root = try Yams.compose(yaml: yaml) else { throw Unreadable() }
    var json = JSONWriter(capacity: 2 * yaml.utf8.count)
    try write(root, to: &json)
    return json.bytes
  }

  private static func write(_ node: Node, to json: inout JSONWriter) throws {
    switch node {
    case .scalar(let scalar):
      write(scalar, to: &json)
    case .sequence(let sequence):
      try json.array { (json) throws in
        for element in sequence { try write(element, to: &json) }
      }
    case .mapping(let mapping):
      try json.object { (json) throws in
        for (key, value) in mapping {
          guard let name = key.scalar?.string else { throw Unreadable() }
          json.name(name)
          try write(value, to: &json)
        }
      }
    case .alias:
      throw Unreadable()  // compose() has resolved every alias that has an anchor
    }
  }

  /// By the JSON schema of YAML 1.2, as OpenAPI asks: a time or `yes` stays a string, as does all that is quoted.
  private static func write(_ scalar: Node.Scalar, to json: inout JSONWriter) {
    guard scalar.style == .plain || scalar.style == .any else { return json.string(scalar.string) }
    switch scalar.string {
    case "null", "": json.null()
    case "true": json.bool(true)
    case "false": json.bool(false)
    case let text where isNumber(text): json.value(Array(text.utf8))
    case let text: json.string(text)
    }
  }

  private static func isNumber(_ text: String) -> Bool {
    text.wholeMatch(of: /-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?/) != nil
  }
}
