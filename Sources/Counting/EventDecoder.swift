internal import CSimdjson

/// Turns a message's payload into an event.
///
/// It owns the JSON parser and a copy of the current payload, both reused from message to message: decoding
/// does not allocate, except when a message is longer than all before it. A message that fails leaves no
/// trace.
///
/// All of a message is validated, also fields that are not used: it is a dead letter if any of it is not
/// JSON or not UTF-8, is nested too deep, or is a number that no 64-bit type holds. Unknown fields are
/// otherwise ignored, repeated ones too (looking for these would make a long hostile message expensive).
public struct EventDecoder: ~Copyable {
  /// The limit for nested arrays and objects.
  public static let maximumDepth = 1_024

  /// The longest payload that is read; a longer one is `tooLarge`. Memory is bounded by about 16 times this.
  public let maximumBytes: Int
  /// What an integer in `timestamp_detected` means.
  public let timestampUnit: TimestampUnit

  private let parser: OpaquePointer

  /// A decoder for payloads of 1 byte to `maximumBytes`, which must be positive and at most 1 GiB.
  public init(maximumBytes: Int = 1 << 20, timestampUnit: TimestampUnit = .automatic) {
    precondition((1...1 << 30).contains(maximumBytes), "maximumBytes must be 1 byte to 1 GiB")
    guard let parser = topitems_json_parser_create(maximumBytes, Self.maximumDepth) else {
      Self.endForLackOfMemory()
    }
    self.maximumBytes = maximumBytes
    self.timestampUnit = timestampUnit
    self.parser = parser
  }

  deinit {
    topitems_json_parser_free(parser)
  }

  /// Reads one message. The event's name is valid until the next call or the decoder's end; the payload may
  /// be released at once.
  ///
  /// The first error found is thrown: first what keeps it from being JSON, then fields that are repeated or
  /// of a wrong type, in the message's order, then missing ones, then a timestamp or name that is not
  /// allowed.
  public mutating func decode(_ payload: UnsafeRawBufferPointer) throws(DecodeError) -> Event {
    guard payload.count <= maximumBytes else { throw DecodeError(.tooLarge) }
    var detection = topitems_detection()
    let status = topitems_json_parse(parser, payload.baseAddress, payload.count, &detection)
    guard status == .ok else {
      throw Self.error(status, Event.Field(detection.field), payload)
    }
    let detectedAt = try timestamp(of: detection)
    let itemName = UnsafeRawBufferPointer(start: detection.item_name, count: detection.item_name_length)
    if let refusal = ItemName.refusal(of: itemName) { throw DecodeError(refusal, .itemName) }
    return Event(
      locationOid: detection.location_oid,
      cameraOid: detection.camera_oid,
      detectionOid: detection.detection_oid,
      detectedAt: detectedAt,
      itemName: itemName
    )
  }

  private func timestamp(of detection: topitems_detection) throws(DecodeError) -> Timestamp {
    if let text = detection.timestamp_text {
      let utf8 = UnsafeRawBufferPointer(start: text, count: detection.timestamp_text_length)
      guard let timestamp = Timestamp.parseRFC3339(utf8) else {
        throw DecodeError(.badTimestamp, .detectedAt)
      }
      return timestamp
    }
    guard let timestamp = timestampUnit.timestamp(detection.timestamp) else {
      throw DecodeError(.timestampOutOfRange, .detectedAt)
    }
    return timestamp
  }

  private static func error(
    _ status: topitems_json_status,
    _ field: Event.Field,
    _ payload: UnsafeRawBufferPointer
  ) -> DecodeError {
    switch status {
    case .empty: DecodeError(.empty)
    case .syntax, .ok: DecodeError(.invalidJSON)
    case .number, .string: RefusedToken.error(in: payload)
    case .utf8: DecodeError(.invalidUTF8)
    case .depth: DecodeError(.tooDeep)
    case .not_an_object: DecodeError(.notAnObject)
    case .duplicate_key: DecodeError(.duplicateKey, field)
    case .missing_field: DecodeError(.missingField, field)
    case .wrong_type: DecodeError(.wrongType, field)
    case .out_of_range:
      DecodeError(field == .detectedAt ? .timestampOutOfRange : .numberOutOfRange, field)
    case .out_of_memory: endForLackOfMemory()
    }
  }

  /// Swift's own allocations end the process as well.
  private static func endForLackOfMemory() -> Never {
    fatalError("out of memory for the JSON parser")
  }
}

/// The parser is reachable through this decoder only, which cannot be copied and whose `decode` is
/// exclusive; it keeps nothing that belongs to a thread. So a decoder may be handed to another thread,
/// though not shared.
extension EventDecoder: @unchecked Sendable {}

extension Event.Field {
  fileprivate init(_ field: topitems_field) {
    switch field {
    case .location_oid: self = .locationOid
    case .camera_oid: self = .cameraOid
    case .detection_oid: self = .detectionOid
    case .item_name: self = .itemName
    case .timestamp_detected: self = .detectedAt
    }
  }
}
