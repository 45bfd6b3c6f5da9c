import Counting
import Testing

@testable import CountStore

@Suite("a batch's tallies of cameras")
struct CameraTallyTests {
  private func key(_ number: Int) -> CameraKey {
    CameraKey(location: Int64(number % 7), camera: Int64(number))
  }

  @Test("each camera has its own, also those whose number another location has too")
  func separate() {
    var cameras = CameraTallies()
    for location: Int64 in [.min, 0, .max] {
      for camera: Int64 in [.min, 0, .max] {
        let index = cameras.recordArrival(CameraKey(location: location, camera: camera), skew: location / 2)
        #expect(index != CameraTallies.others)
        cameras.add(.counted, to: index)
        cameras.add(.duplicate, conflicts: camera == 0, to: index)
      }
    }
    #expect(cameras.keys.count == 10)
    for location: Int64 in [.min, 0, .max] {
      let tally = cameras[CameraKey(location: location, camera: 0)]
      #expect(tally?.counted == 1 && tally?.duplicates == 1 && tally?.conflicts == 1)
      #expect(tally?.largestSkew == location / 2)
    }
    #expect(cameras.tallies[0] == CameraTally())
  }

  @Test("thousands of cameras are found again while the table grows")
  func many() {
    var cameras = CameraTallies()
    for round in 0..<3 {
      for number in 0..<5000 {
        let index = cameras.recordArrival(key(number), skew: Int64(round * 10_000 - number))
        cameras.add(round == 2 ? .late : .counted, to: index)
      }
    }
    #expect(cameras.keys.count == 5001)
    for number in 0..<5000 {
      let tally = cameras[key(number)]
      #expect(tally?.counted == 2 && tally?.late == 1)
      #expect(tally?.largestSkew == Int64(20_000 - number) && tally?.latestSkew == Int64(20_000 - number))
    }
  }

  @Test(
    "beyond the limit, cameras are counted together, and none that is known is lost",
    arguments: [0, 1, 100]
  )
  func limit(limit: Int) {
    var cameras = CameraTallies(limit: limit)
    for _ in 0..<2 {
      for number in 0..<1000 { cameras.add(.future, to: cameras.recordArrival(key(number), skew: 1)) }
    }
    #expect(cameras.keys.count == limit + 1)
    #expect(cameras.tallies[0].future == Int64(2 * (1000 - limit)))
    #expect(cameras.tallies.reduce(0) { $0 + $1.future } == 2000)
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
    let tally = batch.cameras.tallies[Int(camera)]
    #expect(tally.duplicates == 2 && tally.conflicts == 1 && tally.counted == 0)
  }
}
