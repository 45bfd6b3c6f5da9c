import Counting
import Testing

@testable import CountStore

@Suite("a batch's counters of cameras")
struct CameraCountersTests {
  private func key(_ number: Int) -> CameraKey {
    CameraKey(location: Int64(number % 7), camera: Int64(number))
  }

  @Test("each camera has its own, also those whose number another location has too")
  func separate() {
    var cameras = CameraCounterTable()
    for location: Int64 in [.min, 0, .max] {
      for camera: Int64 in [.min, 0, .max] {
        let index = cameras.recordArrival(CameraKey(location: location, camera: camera), skew: location / 2)
        #expect(index != CameraCounterTable.others)
        cameras.add(.counted, to: index)
        cameras.add(.duplicate, conflicts: camera == 0, to: index)
      }
    }
    #expect(cameras.keys.count == 10)
    for location: Int64 in [.min, 0, .max] {
      let counters = cameras[CameraKey(location: location, camera: 0)]
      #expect(counters?.counted == 1 && counters?.duplicates == 1 && counters?.conflicts == 1)
      #expect(counters?.largestSkew == location / 2)
    }
    #expect(cameras.counters[0] == CameraCounters())
  }

  @Test("thousands of cameras are found again while the table grows")
  func many() {
    var cameras = CameraCounterTable()
    for round in 0..<3 {
      for number in 0..<5000 {
        let index = cameras.recordArrival(key(number), skew: Int64(round * 10_000 - number))
        cameras.add(round == 2 ? .late : .counted, to: index)
      }
    }
    #expect(cameras.keys.count == 5001)
    for number in 0..<5000 {
      let counters = cameras[key(number)]
      #expect(counters?.counted == 2 && counters?.late == 1)
      #expect(
        counters?.largestSkew == Int64(20_000 - number) && counters?.latestSkew == Int64(20_000 - number)
      )
    }
  }

  @Test(
    "beyond the limit, cameras are counted together, and none that is known is lost",
    arguments: [0, 1, 100]
  )
  func limit(limit: Int) {
    var cameras = CameraCounterTable(limit: limit)
    for _ in 0..<2 {
      for number in 0..<1000 { cameras.add(.future, to: cameras.recordArrival(key(number), skew: 1)) }
    }
    #expect(cameras.keys.count == limit + 1)
    #expect(cameras.counters[0].future == Int64(2 * (1000 - limit)))
    #expect(cameras.counters.reduce(0) { $0 + $1.future } == 2000)
  }

  @Test("a batch keeps the first detection of an oid; the others are their cameras' duplicates or conflicts")
  func repeats() {
    var batch = Batch(itemGeneration: 0)
    batch.parts = [Batch.Part(topic: "t", partition: 0, epoch: 1, base: 0)]
    batch.parts[0].fates.counted = 4
    let camera = batch.cameras.recordArrival(CameraKey(location: 1, camera: 1), skew: 0)
    for (oid, hash) in [(1, 10), (2, 20), (2, 20), (2, 21)] as [(Int64, Int64)] {
      batch.detections.append(
        Batch.Detection(
          oid: oid,
          detectedAt: Timestamp(microseconds: 0),
          location: 1,
          item: 0,
          part: 0,
          camera: camera,
          payloadHash: hash
        )
      )
    }
    batch.dropRepeats()
    #expect(batch.detections.map(\.oid) == [1, 2])
    #expect(batch.parts[0].fates.counted == 2 && batch.parts[0].fates.duplicate == 2)
    let counters = batch.cameras.counters[Int(camera)]
    #expect(counters.duplicates == 2 && counters.conflicts == 1 && counters.counted == 0)
  }
}
