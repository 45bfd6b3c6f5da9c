/// Why a message can never be an event: the reason of its dead letter.
///
/// The raw values are stored in a table and shown to people; they never change their meaning.
public enum DecodeFailure: String, Error, Sendable, CaseIterable {
  /// No bytes, or only white space.
  case empty
  /// More bytes than the decoder's limit.
  case tooLarge = "too_large"
  /// Not one JSON text (RFC 8259): malformed, cut off, or followed by something else; also a byte order mark.
  case invalidJSON = "invalid_json"
  /// Bytes that are not UTF-8.
  case invalidUTF8 = "invalid_utf8"
  /// A `\u` escape of half a surrogate pair, which no UTF-8 can hold.
  case loneSurrogate = "lone_surrogate"
  /// Arrays and objects nested deeper than `EventDecoder.maximumDepth`.
  case tooDeep = "too_deep"
  /// JSON, but not an object.
  case notAnObject = "not_an_object"
  /// A required field is there twice, also if spelt with escapes.
  case duplicateKey = "duplicate_key"
  /// A required field is not there.
  case missingField = "missing_field"
  /// A required field has another type, `null` and numbers with a fraction or an exponent among them.
  case wrongType = "wrong_type"
  /// An integer that does not fit into 64 bits, or, in any field, a number that fits into no 64-bit type.
  case numberOutOfRange = "number_out_of_range"
  /// `timestamp_detected` is an integer beyond the limits of `TimestampUnit`.
  case timestampOutOfRange = "timestamp_out_of_range"
  /// `timestamp_detected` is a string, but not an RFC 3339 date and time.
  case badTimestamp = "bad_timestamp"
  /// `item_name` is `""`.
  case emptyItemName = "empty_item_name"
  /// `item_name` has more than `ItemName.maximumScalars` scalars.
  case itemNameTooLong = "item_name_too_long"
  /// `item_name` contains U+0000.
  case nulInItemName = "nul_in_item_name"
}

/// A message that can never be an event.
public struct DecodeError: Error, Hashable, Sendable {
  /// What is wrong.
  public var reason: DecodeFailure
  /// The field it is wrong with, if it is one of the required fields.
  public var field: Event.Field?

  /// An error about a field, or about the message as a whole.
  public init(_ reason: DecodeFailure, _ field: Event.Field? = nil) {
    self.reason = reason
    self.field = field
  }
}

extension DecodeError: CustomStringConvertible {
  /// Like `wrong_type: detection_oid`, or only the reason.
  public var description: String {
    field.map { "\(reason.rawValue): \($0.rawValue)" } ?? reason.rawValue
  }
}
