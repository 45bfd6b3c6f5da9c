import Counting
import TestSupport

/// An event that owns its name, to compare with.
struct Detection: Equatable, Sendable {
  var locationOid: Int64 = 1
  var cameraOid: Int64 = 2
  var detectionOid: Int64 = 3
  var detectedAt = Timestamp(microseconds: 1_793_491_200_000_000)
  var itemName = Array("bicycle".utf8)
}

extension Detection {
  init(_ event: Event) {
    locationOid = event.locationOid
    cameraOid = event.cameraOid
    detectionOid = event.detectionOid
    detectedAt = event.detectedAt
    itemName = Array(event.itemName)
  }

  static func any(using random: inout SeededGenerator) -> Detection {
    Detection(
      locationOid: .anyOid(using: &random),
      cameraOid: .anyOid(using: &random),
      detectionOid: .anyOid(using: &random),
      // Below 1e14 microseconds an integer would be taken for milliseconds.
      detectedAt: Timestamp(microseconds: .random(in: 1e14.int64..<1e17.int64, using: &random)),
      itemName: anyName(using: &random)
    )
  }

  private static func anyName(using random: inout SeededGenerator) -> [UInt8] {
    let edges: [Unicode.Scalar] = [
      "\u{1}", "\u{1F}", "\"", "\\", "/", "\u{7F}", "\u{80}", "\u{7FF}", "\u{800}", "\u{D7FF}", "\u{E000}",
      "\u{FEFF}", "\u{FFFD}", "\u{FFFF}", "\u{10000}", "\u{10FFFF}", "\u{301}", "e", "\u{E9}",
    ]
    let count = Int.random(in: 1...30, using: &random)
    var name = String.UnicodeScalarView()
    while name.count < count {
      switch Int.random(in: 0..<3, using: &random) {
      case 0: name.append(edges[Int.random(in: edges.indices, using: &random)])
      case 1: name.append(Unicode.Scalar(UInt8.random(in: 0x20...0x7E, using: &random)))
      default:
        if let scalar = Unicode.Scalar(UInt32.random(in: 1...0x10FFFF, using: &random)) {
          name.append(scalar)
        }
      }
    }
    return Array(String(name).utf8)
  }
}

extension Double {
  fileprivate var int64: Int64 { Int64(self) }
}

/// Decodes with a decoder of its own.
func decode(
  _ message: [UInt8],
  maximumBytes: Int = 1 << 20,
  timestampUnit: TimestampUnit = .automatic
) throws(DecodeError) -> Detection {
  var decoder = EventDecoder(maximumBytes: maximumBytes, timestampUnit: timestampUnit)
  return try decoder.detection(message)
}

func decode(_ message: String, timestampUnit: TimestampUnit = .automatic) throws(DecodeError) -> Detection {
  try decode(Array(message.utf8), timestampUnit: timestampUnit)
}

extension EventDecoder {
  mutating func detection(_ message: [UInt8]) throws(DecodeError) -> Detection {
    // A block of exactly the message's size, gone after the call, so that valgrind or the sanitizers see
    // what reads beyond it or later.
    let payload = UnsafeMutableRawBufferPointer.allocate(byteCount: message.count, alignment: 1)
    defer { payload.deallocate() }
    payload.copyBytes(from: message)
    return Detection(try decode(UnsafeRawBufferPointer(payload)))
  }

  /// The error of a message that must have one.
  mutating func error(_ message: [UInt8]) -> DecodeError? {
    do throws(DecodeError) {
      _ = try detection(message)
      return nil
    } catch {
      return error
    }
  }
}
