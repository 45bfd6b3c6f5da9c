import TestSupport

@testable import Counting

/// Writes messages as JSON: plainly, or in any of the many ways that mean the same.
enum MessageText {
  static func plain(_ detection: Detection) -> [UInt8] {
    members(detection).map { "\"\($0)\":\($1)" }.joined(separator: ",").wrapped
  }

  /// The plain message with some members replaced, added or (`nil`) left out; values are JSON.
  static func plain(_ detection: Detection = Detection(), with changes: [(String, String?)]) -> [UInt8] {
    var members = members(detection)
    for (name, value) in changes {
      if let index = members.firstIndex(where: { $0.0 == name }) {
        if let value { members[index].1 = value } else { members.remove(at: index) }
      } else if let value {
        members.append((name, value))
      }
    }
    return members.map { "\"\($0)\":\($1)" }.joined(separator: ",").wrapped
  }

  /// Any order, white space, escapes (also in names) and unknown members.
  static func any(_ detection: Detection, using random: inout SeededGenerator) -> [UInt8] {
    let unknown = [
      ("timestamp", "12.5"), ("timestamp", "\"yesterday\""), ("x", "null"),
      ("", "[{\"detection_oid\":[[]]}]"),
      ("Detection_oid", "true"), ("detection_oid\u{0}", "1"), ("item_namf", "{\"item_name\":1e-400}"),
      ("video_camera_oie", "\"\\ud83d\\ude00\""), ("timestamp_detecteD", "-0.0"),
    ]
    var members = members(detection, escapedUsing: &random)
    for member in unknown where Bool.random(using: &random) { members.append(member) }
    members.shuffle(using: &random)
    var text = space(&random) + "{" + space(&random)
    for (index, (name, value)) in members.enumerated() {
      if index > 0 { text += space(&random) + "," + space(&random) }
      text += string(name, using: &random) + space(&random) + ":" + space(&random) + value
    }
    return Array((text + space(&random) + "}" + space(&random)).utf8)
  }

  private static func members(_ detection: Detection) -> [(String, String)] {
    var random: SeededGenerator?
    return members(
      detection,
      name: string(String(decoding: detection.itemName, as: UTF8.self), using: &random)
    )
  }

  private static func members(
    _ detection: Detection,
    escapedUsing random: inout SeededGenerator
  ) -> [(String, String)] {
    members(detection, name: string(String(decoding: detection.itemName, as: UTF8.self), using: &random))
  }

  private static func members(_ detection: Detection, name: String) -> [(String, String)] {
    [
      (Event.Field.locationOid.rawValue, "\(detection.locationOid)"),
      (Event.Field.cameraOid.rawValue, "\(detection.cameraOid)"),
      (Event.Field.detectionOid.rawValue, "\(detection.detectionOid)"),
      (Event.Field.itemName.rawValue, name),
      (Event.Field.detectedAt.rawValue, "\(detection.detectedAt.microseconds)"),
    ]
  }

  private static func string(_ text: String, using random: inout SeededGenerator) -> String {
    var optional: SeededGenerator? = random
    defer { if let optional { random = optional } }
    return string(text, using: &optional)
  }

  /// A JSON string, escaping what must be, and with a generator also some that need not be.
  private static func string(_ text: String, using random: inout SeededGenerator?) -> String {
    var json = "\""
    for scalar in text.unicodeScalars {
      let mustEscape = scalar.value < 0x20 || scalar == "\"" || scalar == "\\"
      if mustEscape || random?.next().isMultiple(of: 4) == true {
        for unit in String(scalar).utf16 {
          let digits = String(unit, radix: 16, uppercase: random?.next().isMultiple(of: 2) == true)
          json += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
        }
      } else {
        json.unicodeScalars.append(scalar)
      }
    }
    return json + "\""
  }

  private static func space(_ random: inout SeededGenerator) -> String {
    ["", "", "", " ", "\n", "\t\r\n  "][Int.random(in: 0..<6, using: &random)]
  }
}

extension String {
  fileprivate var wrapped: [UInt8] { Array("{\(self)}".utf8) }
}
