/// A part of a batch's way into the database, for those who ask where its time goes.
public enum ApplyPhase: String, Sendable, CaseIterable {
  /// Finding the ids of new item names, in commits of their own.
  case items
  /// The batch's transaction.
  case transaction
}
