import TestSupport
import Counting

/// Checks JSON against a schema of `openapi.yaml`, by the keywords that it uses; another keyword is a complaint,
/// so that none is silently not checked.
struct Schema {
  let document: JSON

  private static let annotations: Set<String> = ["description", "default", "example"]

  /// Each way in which the value does not fit; empty when it does.
  func complaints(about value: JSON, by schema: JSON?, at path: String = "$") -> [String] {
    guard let keywords = schema?.object else { return ["\(path): there is no schema"] }
    return keywords.flatMap { keyword, rule in
      complaints(about: value, keyword: keyword, rule: rule, among: keywords, at: path)
    }
  }

  private func complaints(
    about value: JSON,
    keyword: String,
    rule: JSON,
    among keywords: [String: JSON],
    at path: String
  ) -> [String] {
    func demand(_ isMet: Bool) -> [String] {
      isMet ? [] : ["\(path): \(keyword) \(rule) is not met by \(value)"]
    }
    switch keyword {
    case "$ref":
      return complaints(about: value, by: document[pointer: rule.string ?? ""], at: path)
    case "type":
      let types = rule.array ?? [rule]
      return demand(types.contains { value.isOf(type: $0.string ?? "") })
    case "enum":
      return demand(rule.array?.contains(value) == true)
    case "const":
      return demand(rule == value)
    case "anyOf":
      return demand(rule.array?.contains { complaints(about: value, by: $0, at: path).isEmpty } == true)
    case "required":
      return demand((rule.array ?? []).allSatisfy { value.object == nil || value[$0.string ?? ""] != nil })
    case "properties":
      return (rule.object ?? [:]).flatMap { name, schema in
        value[name].map { complaints(about: $0, by: schema, at: "\(path).\(name)") } ?? []
      }
    case "additionalProperties":
      let known = keywords["properties"]?.object ?? [:]
      return demand((value.object ?? [:]).keys.allSatisfy { known[$0] != nil })
    case "items":
      return (value.array ?? []).enumerated().flatMap { index, element in
        complaints(about: element, by: rule, at: "\(path)[\(index)]")
      }
    case "minimum":
      return demand(value.integer.map { $0 >= rule.integer ?? .max } ?? true)
    case "maximum":
      return demand(value.integer.map { $0 <= rule.integer ?? .min } ?? true)
    case "maxItems":
      return demand(value.array.map { $0.count <= Int(rule.integer ?? 0) } ?? true)
    case "minLength":
      return demand(value.string.map { $0.unicodeScalars.count >= Int(rule.integer ?? .max) } ?? true)
    case "maxLength":
      return demand(value.string.map { $0.unicodeScalars.count <= Int(rule.integer ?? 0) } ?? true)
    case "pattern":
      guard let text = value.string else { return [] }
      let expression = try? Regex(rule.string ?? "(")
      return demand(expression.map { text.contains($0) } ?? false)
    case "format":
      guard let text = value.string else { return [] }
      switch rule.string {
      case "date-time": return demand(Timestamp(rfc3339: text) != nil)
      case "duration": return demand(TimeSpan(iso8601: text) != nil)
      default: return ["\(path): this check does not know the format \(rule)"]
      }
    case _ where Self.annotations.contains(keyword):
      return []
    default:
      return ["\(path): this check does not know \(keyword)"]
    }
  }
}

extension JSON {
  fileprivate func isOf(type: String) -> Bool {
    switch (self, type) {
    case (.null, "null"), (.bool, "boolean"), (.integer, "integer"), (.integer, "number"),
      (.double, "number"),
      (.string, "string"), (.array, "array"), (.object, "object"):
      true
    default: false
    }
  }
}
