import Counting

/// What follows for a batch from which of its detections are new.
struct BatchConclusion {
  /// With the fates that the constraint decided.
  let parts: [Batch.Part]
  let counts: WindowedCounts
  let cameras: CameraCounterTable

  /// - Parameter verdicts: by the position of the detection; nil if all are new.
  init(_ batch: Batch, verdicts: [DetectionVerdict]?, itemIDs: [Int64]) {
    var parts = batch.parts
    var counters = batch.cameras
    for (position, detection) in batch.detections.enumerated() {
      switch verdicts?[position] ?? .new {
      case .new:
        counters.add(.counted, to: detection.camera)
      case .duplicate(let conflicts):
        parts[Int(detection.part)].fates[.counted] -= 1
        parts[Int(detection.part)].fates[.duplicate] += 1
        counters.add(.duplicate, conflicts: conflicts, to: detection.camera)
      }
    }
    self.parts = parts
    let isNew = verdicts.map { $0.map { $0 == .new } }
    counts = WindowedCounts(of: batch.detections, itemIDs: itemIDs, isCounted: isNew)
    cameras = counters
  }
}
