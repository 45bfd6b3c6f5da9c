import Counting
import Foundation
import Testing

@testable import Simulation

@Suite("The cameras' stream")
struct CameraStreamTests {
  @Test("the same scenario makes the same stream, byte for byte")
  func repeatable() throws {
    #expect(try messages(20_000, of: mixed) == messages(20_000, of: mixed))
  }

  @Test("another seed makes other messages and other identifiers")
  func seeds() throws {
    var other = mixed
    other.seed += 1
    let left = try Set(firstSends(messages(20_000, of: mixed)).compactMap(\.payload))
    let right = try Set(firstSends(messages(20_000, of: other)).compactMap(\.payload))
    #expect(left.isDisjoint(with: right))
    let leftOids = try Set(decoded(left).map(\.detectionOid))
    let rightOids = try Set(decoded(right).map(\.detectionOid))
    #expect(leftOids.count == left.count && leftOids.isDisjoint(with: rightOids))
  }

  @Test("each fate has the share of the messages that was asked for")
  func shares() throws {
    let count = 200_000
    let stream = try play(count, of: mixed) { _ in }
    let fates = stream.truth.fates
    for (fate, share) in [
      (Fate.duplicate, 0.1), (.late, 0.03), (.future, 0.02), (.deadLetter, 0.05), (.tombstone, 0.01),
      (.counted, 0.79),
    ] {
      let tolerance = 6 * (share * (1 - share) / Double(count)).squareRoot()
      #expect(abs(Double(fates[fate]) / Double(count) - share) < tolerance, "\(fate)")
    }
    #expect(fates.total == count)
  }

  @Test("a perfect counter that sees only the messages finds the truth")
  func recount() throws {
    var counted: [TruthRow.Key: Int] = [:]
    var fates = FateCounts()
    var seen: Set<Int64> = []
    var decoder = EventDecoder()
    var made = 0.0
    let stream = try play(60_000, of: mixed) { message in
      // The clock of the stream, which late and future are measured by.
      let now = mixed.start.microseconds + Int64(made / mixed.rate * 1_000_000)
      made += 1
      guard let payload = message.payload else {
        fates.tombstone += 1
        return
      }
      payload.withUnsafeBytes { bytes in
        do throws(DecodeError) {
          let event = try decoder.decode(bytes)
          if event.detectedAt.microseconds < now - 7 * 86_400_000_000 {
            fates.late += 1
          } else if event.detectedAt.microseconds > now + 300_000_000 {
            fates.future += 1
          } else if !seen.insert(event.detectionOid).inserted {
            fates.duplicate += 1
          } else {
            fates.counted += 1
            let key = TruthRow.Key(
              location: event.locationOid,
              windowStart: Window.start(of: event.detectedAt).rfc3339,
              itemName: Array(event.itemName)
            )
            counted[key, default: 0] += 1
          }
        } catch {
          fates.deadLetter += 1
        }
      }
    }
    #expect(fates == stream.truth.fates)
    let rows = try TruthRow.read(stream.truth)
    #expect(rows.count == counted.count)
    for row in rows { #expect(counted[row.key] == row.count) }
  }

  @Test("a resend repeats an earlier counted message, near or far, through its own partition or another")
  func resends() throws {
    var scenario = mixed
    scenario.duplicates = 0.3
    var lastSent: [[UInt8]: Int] = [:]
    var partitions: [Int32?: Int] = [:]
    var ages: [Int] = []
    var position = 0
    let stream = try play(100_000, of: scenario) { message in
      guard let payload = message.payload else { return }
      if message.fate == .counted { #expect(lastSent.updateValue(position, forKey: payload) == nil) }
      if message.fate == .counted { position += 1 }
      if message.fate == .duplicate {
        partitions[message.partition, default: 0] += 1
        if let sent = lastSent[payload] { ages.append(position - sent) } else { Issue.record("never sent") }
      } else {
        #expect(message.partition == nil)
      }
    }
    let resends = Double(ages.count)
    #expect(ages.count == stream.truth.fates.duplicate)
    #expect(abs(Double(partitions[nil] ?? 0) / resends - 0.5) < 0.02)
    #expect(Set(partitions.keys) == [nil, 0, 1, 2, 3])
    #expect(abs(Double(ages.count { $0 <= RecentEvents.near }) / resends - 0.52) < 0.04)
    #expect(ages.contains { $0 > 20_000 })
  }

  @Test("an event lies in the jitter before its message, in milliseconds and out of order")
  func jitter() throws {
    var scenario = Scenario(start: mixed.start, rate: 1_000, seed: 3)
    scenario.duplicates = 0
    let events = try decoded(messages(10_000, of: scenario).compactMap(\.payload))
    for (index, event) in events.enumerated() {
      let age = scenario.start.microseconds + Int64(index) * 1_000 - event.detectedAt.microseconds
      #expect((0...scenario.jitter + 1_000).contains(age))
      #expect(event.detectedAt.microseconds % 1_000 == 0)
    }
    #expect(zip(events, events.dropFirst()).contains { $0.detectedAt > $1.detectedAt })
  }

  @Test("locations and cameras are numbered from 1 and all take part")
  func cameras() throws {
    var scenario = mixed
    scenario.locations = 3
    scenario.camerasPerLocation = 2
    let events = try decoded(firstSends(messages(5_000, of: scenario)).compactMap(\.payload))
    #expect(Set(events.map(\.cameraOid)) == [10_001, 10_002, 20_001, 20_002, 30_001, 30_002])
    #expect(events.allSatisfy { $0.cameraOid / 10_000 == $0.locationOid })
  }

  @Test(
    "the smallest and the oldest scenarios play, too",
    arguments: ["1900-01-01T00:00:00Z", "1970-01-02T00:00:00Z"]
  )
  func extremes(start: String) throws {
    var scenario = Scenario(start: try #require(Timestamp(rfc3339: start)), rate: 0.001, seed: 0)
    (scenario.locations, scenario.camerasPerLocation, scenario.items, scenario.partitions) = (1, 1, 1, 1)
    (scenario.duplicates, scenario.driftInterval, scenario.jitter) = (1, 1, 0)
    let made = try messages(1_000, of: scenario)
    #expect(made.count { $0.fate == .counted } == 1)
    scenario.duplicates = 0
    let events = try decoded(messages(1_000, of: scenario).compactMap(\.payload))
    #expect(events.first?.detectedAt == scenario.start)
  }

  @Test("a scenario that cannot be played is refused, naming the parameter")
  func validation() {
    func refusal(_ change: (inout Scenario) -> Void) -> String? {
      var scenario = mixed
      change(&scenario)
      do throws(ScenarioError) {
        _ = try CameraStream(scenario)
        return nil
      } catch { return error.parameter }
    }
    #expect(refusal { _ in } == nil)
    #expect(refusal { $0.locations = 0 } == "locations")
    #expect(refusal { $0.camerasPerLocation = 10_000 } == "cameras")
    #expect(refusal { $0.items = -1 } == "items")
    #expect(refusal { ($0.items, $0.locations) = (100_000, 100_000) } == "items")
    #expect(refusal { $0.zipfExponent = .nan } == "zipf")
    #expect(refusal { $0.rate = 0 } == "rate")
    #expect(refusal { $0.rate = .infinity } == "rate")
    #expect(refusal { $0.jitter = .max } == "jitter")
    #expect(refusal { $0.start.microseconds = .max } == "start-time")
    #expect(refusal { $0.partitions = 0 } == "partitions")
    #expect(refusal { $0.late = -0.1 } == "late")
    #expect(refusal { $0.future = 0.9 }?.contains("together") == false)
    #expect(refusal { $0.future = 0.9 }?.hasPrefix("duplicates, ") == true)
  }
}
