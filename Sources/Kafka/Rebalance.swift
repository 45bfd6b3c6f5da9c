/// A change of the group's division of partitions, as seen by one member.
public enum Rebalance: Sendable, Equatable {
  /// These partitions are now this member's: answer with `Consumer.assign`. With a cooperative strategy they come on
  /// top of the ones it has, with an eager one they are all that it has. Until then the member consumes nothing.
  case assigned([TopicPartition])
  /// These partitions go to other members: end the work on them, then answer with `Consumer.unassign` (done for the
  /// handler where it does not). What is committed before that is still accepted.
  case revoked([TopicPartition])
  /// As `revoked`, but other members may already have them (the session timed out): commits are refused.
  case lost([TopicPartition])
}
