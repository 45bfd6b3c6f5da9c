/// The locations that a caller may see. It has no default value: each query states its scope.
public enum LocationScope: Hashable, Sendable {
  /// Every location.
  case all
  /// Only these, by their oids.
  case only(Set<Int64>)
}
