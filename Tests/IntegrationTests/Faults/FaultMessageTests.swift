import Foundation
import Glibc
import Ingestion
import Kafka
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Cases 29 and 30: messages that are far too long, damaged, or packed in an unknown way.
  @Suite("Messages") struct MessageTests {
    @Test(
      "a message of 40 MB, and one that 60 KB unpack to 60 MB: a dead letter, nothing waits behind it, memory stays bounded",
      arguments: [("none", 40_000_000), ("gzip", 60_000_000)]
    )
    func huge(compression: String, length: Int) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with(partitions: 1) { fixture in
          let worker = try Faults.ProcessTests.start(fixture, database: fixture.database)
          defer { worker.end() }
          try fixture.send(1000)
          try fixture.waitUntilCounted()
          var configuration = fixture.producerConfiguration()
          configuration["compression.type"] = compression
          let producer = try Producer(configuration)
          try [UInt8](repeating: UInt8(ascii: " "), count: length).withUnsafeBytes {
            try producer.produce(topic: fixture.topic, partition: 0, payload: $0)
          }
          // One message, which the broker takes seconds of a processor for: nothing of that is to be seen.
          try producer.deliver(within: .seconds(120))
          guard producer.delivered == 1 else {
            throw TestSupportError("\(String(describing: producer.firstDeliveryFailure))")
          }
          fixture.recordSent(1)
          producer.close(timeout: 1000)
          try fixture.send(1000)
          try fixture.waitUntilCounted()
          let (peak, resident) = (worker.kibibytes("VmHWM"), worker.kibibytes("VmRSS"))
          worker.signal(SIGTERM)
          let ending = try worker.wait(within: .seconds(15))
          findings.expect(ending == .exited(0), "\(ending)\(worker.story)")
          findings.expect(peak > 0 && peak <= 256 * 1024, "\(peak) KiB resident at the most")
          findings.expect(resident <= 128 * 1024, "\(resident) KiB resident at the end")
          let dead = try fixture.connect().execute(
            "SELECT reason, payload_bytes, length(payload) FROM dead_letter"
          )
          guard dead.count == 1 else { throw TestSupportError("\(dead.count) dead letters\(worker.story)") }
          let (reason, bytes, kept) = (try dead.string(0, 0), try dead.int64(0, 1), try dead.int32(0, 2))
          findings.expect(
            reason == "too_large" && bytes == length && kept == 65_536,
            "\(reason), \(bytes) bytes, \(kept) of them kept"
          )
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
          try worker.wait("the other one goes on") { _ in
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 1") == 50
          }
          findings.expect(
            try fixture.number("SELECT next_offset FROM ingest_offset WHERE partition = 0") == 50,
            "the damaged message was passed over\(worker.story)"
          )
          findings.expect(worker.halts.first?.1.contains("offset 50") == true, "\(worker.halts)")
          try worker.stop()

          // A worker that reads an undamaged copy goes on.
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
          let errors = worker.reported.count {
            if case .brokerError(let e) = $0 { e.concernsMessages } else { false }
          }
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
          let range = bytes.firstRange(of: Array(marker.utf8)),
          let batch = RecordBatch(around: range.lowerBound, in: bytes)
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
