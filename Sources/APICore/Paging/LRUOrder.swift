/// Members in the order of their last use. Whatever is done takes the same short time, however many there are.
///
/// Public and inlinable, so that it is specialized in other modules: the cache of responses uses it for each hit.
public struct LRUOrder<Member> {
  /// The position of a member; it is reused after the member is removed.
  public typealias Place = Int

  @usableFromInline
  struct Link {
    @usableFromInline var member: Member?
    @usableFromInline var older: Place = 0
    @usableFromInline var newer: Place = 0

    @usableFromInline
    init(member: Member? = nil) { self.member = member }
  }

  /// A ring. The first link has no member: it stands between the newest and the oldest.
  @usableFromInline var links = [Link()]
  /// Of members that were removed.
  @usableFromInline var vacant: [Place] = []

  /// An order of no members.
  @inlinable
  public init() {}

  /// The member that was unused for longest.
  @inlinable
  public var oldest: Member? { links[links[0].newer].member }

  /// Adds the newest.
  @inlinable
  public mutating func add(_ member: Member) -> Place {
    let place = vacant.popLast() ?? links.count
    if place == links.count {
      links.append(Link(member: member))
    } else {
      links[place].member = member
    }
    link(place)
    return place
  }

  /// Makes a member the newest.
  @inlinable
  public mutating func use(_ place: Place) {
    unlink(place)
    link(place)
  }

  /// Removes a member.
  @inlinable
  public mutating func remove(_ place: Place) {
    unlink(place)
    links[place].member = nil
    vacant.append(place)
    // With the last one, the memory of a crowd goes.
    if vacant.count == links.count - 1 { self = LRUOrder() }
  }

  @inlinable
  mutating func link(_ place: Place) {
    let newest = links[0].older
    links[place].older = newest
    links[place].newer = 0
    links[newest].newer = place
    links[0].older = place
  }

  @inlinable
  mutating func unlink(_ place: Place) {
    let (older, newer) = (links[place].older, links[place].newer)
    links[older].newer = newer
    links[newer].older = older
  }
}
