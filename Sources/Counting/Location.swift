/// One row of Dataset B: what a location is called.
public struct Location: Hashable, Sendable {
  /// `geographical_location_oid`
  public var oid: Int64
  /// `geographical_location`
  public var name: String

  public init(oid: Int64, name: String) {
    self.oid = oid
    self.name = name
  }
}
