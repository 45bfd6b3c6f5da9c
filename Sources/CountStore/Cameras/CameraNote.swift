/// A batch's tallies as they are stored: those of cameras that have a row, and the sum of the others.
struct CameraNote {
  typealias Entry = (key: CameraKey, tally: CameraTally)

  private(set) var known: [Entry] = []
  private(set) var others: CameraTally

  init(_ cameras: CameraTallies, admitted: Set<CameraKey>) {
    others = cameras.tallies[Int(CameraTallies.others)]
    known.reserveCapacity(cameras.keys.count)
    for index in cameras.keys.indices.dropFirst() {
      if admitted.contains(cameras.keys[index]) {
        known.append((cameras.keys[index], cameras.tallies[index]))
      } else {
        others += cameras.tallies[index]
      }
    }
  }
}
