/// The locations that a caller may see. It has no default: whoever asks a question must say for whom.
public enum LocationScope: Hashable, Sendable {
  /// Every location.
  case all
  /// Only these, by their oids.
  case only(Set<Int64>)
}
