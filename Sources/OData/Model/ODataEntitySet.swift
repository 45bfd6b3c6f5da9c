import CountStore

/// What the service has: one set for each view, and the days once more under the shortest name.
struct ODataEntitySet: Sendable, Equatable {
  /// The kinds of entities.
  enum EntityType: String, Sendable, CaseIterable {
    case topItem = "TopItem"
    case windowCount = "WindowCount"
    case location = "Location"
  }

  /// The namespace of the types, without the name of the product's version: it never changes.
  static let namespace = "topitems"

  var name: String
  var view: BIView
  /// Its description for people.
  var description: String

  static let all = [
    ODataEntitySet(
      name: "TopItems",
      view: .topItemsByDay,
      description: "The items of each location, ranked in each day (UTC); the same as TopItemsByDay"
    ),
    ODataEntitySet(
      name: "TopItemsByMinute",
      view: .topItemsByMinute,
      description: "The items of each location, ranked in each minute; kept for days"
    ),
    ODataEntitySet(
      name: "TopItemsByHour",
      view: .topItemsByHour,
      description: "The items of each location, ranked in each hour; kept for a year by default"
    ),
    ODataEntitySet(
      name: "TopItemsByDay",
      view: .topItemsByDay,
      description: "The items of each location, ranked in each day (UTC); kept for ever"
    ),
    ODataEntitySet(
      name: "WindowCounts",
      view: .windowCounts,
      description: "How often each item was detected at a location in a minute; not ranked"
    ),
    ODataEntitySet(
      name: "Locations",
      view: .locations,
      description: "Every location: those with a name, and those that have counted something"
    ),
  ]

  var entityType: EntityType {
    switch view {
    case .topItemsByMinute, .topItemsByHour, .topItemsByDay: .topItem
    case .windowCounts: .windowCount
    case .locations: .location
    }
  }
}

extension ODataEntitySet.EntityType {
  /// A view with entities of this type, which has its columns and key.
  var view: BIView {
    switch self {
    case .topItem: .topItemsByDay
    case .windowCount: .windowCounts
    case .location: .locations
    }
  }
}

extension BIType {
  /// The primitive type of OData.
  var edm: String {
    switch self {
    case .int64: "Edm.Int64"
    case .int32: "Edm.Int32"
    case .text: "Edm.String"
    case .timestamp: "Edm.DateTimeOffset"
    }
  }
}
