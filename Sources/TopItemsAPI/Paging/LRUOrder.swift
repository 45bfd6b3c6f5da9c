/// Members in the order of their last use. Whatever is done takes the same short time, however many there are.
struct LRUOrder<Member> {
  /// The position of a member; it is reused after the member is removed.
  typealias Place = Int

  private struct Link {
    var member: Member?
    var older: Place = 0
    var newer: Place = 0
  }

  /// A ring. The first link has no member: it stands between the newest and the oldest.
  private var links = [Link()]
  /// Of members that were removed.
  private var vacant: [Place] = []

  init() {}

  var oldest: Member? { links[links[0].newer].member }

  /// Adds the newest.
  mutating func add(_ member: Member) -> Place {
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
  mutating func use(_ place: Place) {
    unlink(place)
    link(place)
  }

  mutating func remove(_ place: Place) {
    unlink(place)
    links[place].member = nil
    vacant.append(place)
    // With the last one, the memory of a crowd goes.
    if vacant.count == links.count - 1 { self = LRUOrder() }
  }

  private mutating func link(_ place: Place) {
    let newest = links[0].older
    links[place].older = newest
    links[place].newer = 0
    links[newest].newer = place
    links[0].older = place
  }

  private mutating func unlink(_ place: Place) {
    let (older, newer) = (links[place].older, links[place].newer)
    links[older].newer = newer
    links[newer].older = older
  }
}
