/// Messages that can never be an event: each must become a dead letter, and do no harm to its neighbours.
public struct MalformedPayload: Sendable {
  /// What is wrong with it.
  public let defect: String
  /// The message as it is sent; empty is one of the defects.
  public let bytes: [UInt8]

  /// All of them, in the order in which the simulation sends them, round after round.
  public static let all: [MalformedPayload] = fromText + fromBytes

  private static let fromText: [MalformedPayload] = texts.map {
    MalformedPayload(defect: $0.0, bytes: Array($0.1.utf8))
  }

  private static let texts: [(String, String)] = [
    ("nothing at all", ""),
    ("white space only", " \r\n\t "),
    ("not JSON", "forklift,1,10001,4711"),
    ("cut off", #"{"geographical_location_oid":1,"video_camera_oid":10001,"detection_oid":1,"item_na"#),
    ("no object", #"[{"detection_oid":1}]"#),
    ("null", "null"),
    ("more after the object", event() + event()),
    ("a field is missing", #"{"geographical_location_oid":1,"video_camera_oid":10001,"item_name":"box"}"#),
    ("an identifier as text", event(detectionOid: #""four""#)),
    ("an identifier with a fraction", event(detectionOid: "1.5")),
    ("an identifier beyond 64 bits", event(detectionOid: "9223372036854775808")),
    ("a number beyond any", event(detectionOid: "1e400")),
    ("NaN", event(detectionOid: "NaN")),
    ("a null identifier", event(location: "null")),
    ("an object for a name", event(itemName: "{}")),
    ("a number for a name", event(itemName: "7")),
    ("an empty name", event(itemName: #""""#)),
    ("U+0000 in the name", event(itemName: #""fork\u0000lift""#)),
    ("half a surrogate pair", event(itemName: #""\ud83d""#)),
    ("a name of 5,001 characters", event(itemName: "\"" + String(repeating: "é", count: 5_001) + "\"")),
    ("the same field twice", event(itemName: #""box","item_name":"crate""#)),
    ("a day that does not exist", event(detectedAt: #""2026-02-30T00:00:00Z""#)),
    ("a time without a zone", event(detectedAt: #""2026-02-20T00:00:00""#)),
    ("a time beyond any calendar", event(detectedAt: "100000000000000000")),
    ("a time that is true", event(detectedAt: "true")),
    ("very deep", event(location: String(repeating: "[", count: 2_000))),
    ("very deep in a field that is not used", event(itemName: #""box","x":"# + nested(2_000))),
  ]

  private static let fromBytes: [MalformedPayload] = badNames.map { defect, name in
    let parts = event(itemName: "\"|\"").split(separator: "|")
    return MalformedPayload(defect: defect, bytes: Array(parts[0].utf8) + name + Array(parts[1].utf8))
  }

  private static let badNames: [(String, [UInt8])] = [
    ("not UTF-8", [0xC3, 0x28]),
    ("overlong UTF-8", [0xC0, 0xAF]),
    ("a surrogate in UTF-8", [0xED, 0xA0, 0x80]),
    ("a raw NUL", [0x00]),
    ("a raw control character", [0x0A]),
  ]

  private static func nested(_ depth: Int) -> String {
    String(repeating: "[", count: depth) + String(repeating: "]", count: depth)
  }

  /// A whole event, but for what the caller breaks.
  private static func event(
    location: String = "1",
    detectionOid: String = "1",
    itemName: String = #""box""#,
    detectedAt: String = #""2026-02-20T00:00:00Z""#
  ) -> String {
    """
    {"geographical_location_oid":\(location),"video_camera_oid":10001,"detection_oid":\(detectionOid),\
    "item_name":\(itemName),"timestamp_detected":\(detectedAt)}
    """
  }
}
