import Foundation
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Case 30: messages that are damaged, or packed in a way that nobody knows.
  @Suite("Messages") struct MessageTests {
    @Test("a message that unpacks to 60 MB is a dead letter, and memory comes back")
    func bomb() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 1) { fixture in
          var configuration = fixture.producerConfiguration()
          configuration["compression.type"] = "gzip"
          let producer = try Producer(configuration)
          try [UInt8](repeating: UInt8(ascii: " "), count: 60_000_000).withUnsafeBytes {
            try producer.produce(topic: fixture.topic, partition: 0, payload: $0)
          }
          try producer.flush(timeout: 30_000)
          guard producer.delivered == 1 else {
            throw TestSupportError("\(String(describing: producer.firstDeliveryFailure))")
          }
          fixture.noteSent(1)
          producer.close(timeout: 1000)
          try fixture.send(100)
          let worker = FaultWorker(fixture.options())
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          let dead = try fixture.connect().execute("SELECT reason, payload_bytes FROM dead_letter")
          findings.expect(dead.count == 1, "\(dead.count) dead letters")
          if dead.count == 1 {
            let (reason, bytes) = (try dead.string(0, 0), try dead.int64(0, 1))
            findings.expect(reason == "too_large" && bytes == 60_000_000, "\(reason), \(bytes) bytes")
          }
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    enum Damage: String, CaseIterable { case checksum, compression }

    @Test(
      "a batch that is damaged for ever halts its partition with the reason, before it; the others go on",
      arguments: Damage.allCases
    )
    func damagedForEver(damage: Damage) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 2) { fixture in
          let proxy = try Self.damagingProxy(fixture, damage: damage, times: .max)
          defer { proxy.close() }
          let worker = FaultWorker(fixture.options(brokers: proxy.address))
          for _ in 0..<50 { try fixture.send(fixture.event(), partition: 0) }
          try fixture.flush()
          try fixture.waitUntilCounted(worker)
          try fixture.send(fixture.event(item: Self.marker), partition: 0)
          try fixture.flush()
          for number in 0..<100 { try fixture.send(fixture.event(), partition: Int32(number % 2)) }
          try fixture.flush()
          try worker.wait("the partition halts", within: .seconds(30)) { !$0.halts.isEmpty }
          try waitUntil("the other one goes on") {
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 50
          }
          findings.expect(
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 50,
            "the damaged message was passed over\(worker.story)"
          )
          findings.expect(worker.halts.first?.1.contains("offset 50") == true, "\(worker.halts)")
          try worker.stop()

          // Whoever reads an undamaged copy goes on.
          let other = FaultWorker(fixture.options())
          try fixture.waitUntilCounted(other)
          try other.stop()
          findings.expectNone(try fixture.violations(), other.story)
        }
      }
    }

    @Test("a batch that was damaged on its way is read again, and nothing is passed over")
    func damagedOnce() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 2) { fixture in
          let proxy = try Self.damagingProxy(fixture, damage: .checksum, times: 2)
          defer { proxy.close() }
          let worker = FaultWorker(fixture.options(brokers: proxy.address))
          try fixture.send(100)
          try fixture.waitUntilCounted(worker)
          try fixture.send(fixture.event(item: Self.marker), partition: 0)
          try fixture.flush()
          try fixture.send(100)
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          let errors = worker.told.count { if case .brokerError(let e) = $0 { e.concernsMessages } else { false } }
          findings.expect(errors > 0, "nothing was damaged\(worker.story)")
          findings.expect(worker.halts.isEmpty, "\(worker.halts)")
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    static let marker = "damage-this-one"

    /// Damages record batches that hold the marker: a wrong checksum, or a compression that does not exist (with the
    /// right one).
    static func damagingProxy(_ fixture: FaultFixture, damage: Damage, times: Int) throws -> FaultProxy {
      let proxy = try FaultProxy(to: fixture.brokers)
      proxy.standInForBroker()
      let remaining = Collected<Int>()
      proxy.rewrite { direction, bytes in
        guard direction == .toClient, remaining.all.count < times,
          let range = bytes.firstRange(of: Array(marker.utf8)), let batch = RecordBatch(around: range.lowerBound, in: bytes)
        else { return }
        remaining.append(1)
        switch damage {
        case .checksum: bytes[range.lowerBound] ^= 1
        case .compression: batch.setCompression(7, in: &bytes)
        }
      }
      return proxy
    }
  }
}

/// A record batch of format 2 within a fetch's answer (Kafka documentation, "Record Batch"): base offset 8 bytes,
/// length 4, leader epoch 4, magic 1, CRC-32C 4 of all that follows, attributes 2 (the lowest 3 bits: compression).
private struct RecordBatch {
  let start: Int
  let end: Int

  init?(around position: Int, in bytes: [UInt8]) {
    func number(_ at: Int) -> Int { bytes[at..<at + 4].reduce(0) { $0 << 8 | Int($1) } }
    for start in stride(from: position - 61, through: max(0, position - 100_000), by: -1)
    where start + 61 < bytes.count && bytes[start + 16] == 2 {
      let end = start + 12 + number(start + 8)
      guard end > position, end <= bytes.count, number(start + 8) > 49,
        Self.checksum(bytes[(start + 21)..<end]) == UInt32(number(start + 17))
      else { continue }
      self.start = start
      self.end = end
      return
    }
    return nil
  }

  func setCompression(_ codec: UInt8, in bytes: inout [UInt8]) {
    bytes[start + 22] = bytes[start + 22] & ~7 | codec
    let sum = Self.checksum(bytes[(start + 21)..<end])
    for index in 0..<4 { bytes[start + 17 + index] = UInt8(truncatingIfNeeded: sum >> (24 - 8 * index)) }
  }

  /// CRC-32C (RFC 3720, appendix B.4), bit by bit.
  private static func checksum(_ bytes: ArraySlice<UInt8>) -> UInt32 {
    var sum: UInt32 = .max
    for byte in bytes {
      sum ^= UInt32(byte)
      for _ in 0..<8 { sum = sum & 1 == 1 ? sum >> 1 ^ 0x82F6_3B78 : sum >> 1 }
    }
    return ~sum
  }
}
