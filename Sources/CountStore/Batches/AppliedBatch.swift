import Counting

/// A batch as it was committed.
public struct AppliedBatch: Sendable, Equatable {
  /// What the change is known by.
  public var revision: Int64
  /// The batch's, with the fates that the constraint decided.
  public var parts: [Batch.Part]
  /// The floor and the database's clock during the batch.
  public var bounds: EventTimeBounds
  /// Whether some of the detections may have been stored already, so that COPY alone did not do.
  public var usedCarefulPath: Bool
  /// Where the time went.
  public var times: PhaseTimes

  /// A revision is one batch's alone.
  public static func == (a: AppliedBatch, b: AppliedBatch) -> Bool { a.revision == b.revision }
}
