import Counting
import Testing

@testable import Simulation

/// A bit of everything, on a day in 2026.
let mixed: Scenario = {
  var scenario = Scenario(start: Timestamp(microseconds: 1_793_491_200_000_000), rate: 2_000, seed: 42)
  scenario.late = 0.03
  scenario.future = 0.02
  scenario.malformed = 0.05
  scenario.tombstones = 0.01
  return scenario
}()

/// Plays the first `count` messages.
func play(
  _ count: Int,
  of scenario: Scenario,
  _ body: (SimulatedMessage) throws -> Void
) throws -> CameraStream {
  var stream = try CameraStream(scenario)
  for _ in 0..<count { try body(stream.next()) }
  return stream
}

/// The first `count` messages.
func messages(_ count: Int, of scenario: Scenario) throws -> [SimulatedMessage] {
  var all: [SimulatedMessage] = []
  _ = try play(count, of: scenario) { all.append($0) }
  return all
}

/// The messages that carry an event for the first time.
func firstSends(_ messages: [SimulatedMessage]) -> [SimulatedMessage] {
  messages.filter { [.counted, .late, .future].contains($0.fate) }
}

/// An event without the borrowed name.
struct PlainEvent: Hashable {
  var locationOid, cameraOid, detectionOid: Int64
  var detectedAt: Timestamp
  var itemName: [UInt8]
}

/// What the product's own decoder reads in the payloads.
func decoded(_ payloads: some Sequence<[UInt8]>) throws -> [PlainEvent] {
  var decoder = EventDecoder()
  var events: [PlainEvent] = []
  for payload in payloads {
    let result = payload.withUnsafeBytes { bytes in
      Result { () throws(DecodeError) in
        let event = try decoder.decode(bytes)
        return PlainEvent(
          locationOid: event.locationOid,
          cameraOid: event.cameraOid,
          detectionOid: event.detectionOid,
          detectedAt: event.detectedAt,
          itemName: Array(event.itemName)
        )
      }
    }
    events.append(try result.get())
  }
  return events
}
