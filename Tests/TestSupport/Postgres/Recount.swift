import Postgres

/// The naive counter: what the windows must hold, found without any of the product's code.
public struct Recount: Sendable {
  /// Which count; the item by its bytes, since `String` takes composed and decomposed characters for equal.
  public struct Key: Hashable, Sendable, CustomStringConvertible {
    /// `geographical_location_oid`
    public var location: Int64
    /// Microseconds since 1970.
    public var windowStart: Int64
    /// UTF-8.
    public var item: [UInt8]

    /// A key.
    public init(location: Int64, windowStart: Int64, item: [UInt8]) {
      self.location = location
      self.windowStart = windowStart
      self.item = item
    }

    /// For a failure's message.
    public var description: String {
      "location \(location), window \(windowStart / 1_000_000), \(String(decoding: item.prefix(60), as: UTF8.self))"
    }
  }

  /// The counts so far.
  public private(set) var counts: [Key: Int64] = [:]
  private var seen: Set<Int64> = []

  /// Nothing is counted yet.
  public init() {}

  /// How many different detections there were.
  public var detections: Int { seen.count }

  /// Counts a detection, unless its oid was counted before.
  /// - Parameter detectedAt: microseconds since 1970.
  @discardableResult
  public mutating func count(oid: Int64, location: Int64, detectedAt: Int64, item: String) -> Bool {
    guard seen.insert(oid).inserted else { return false }
    // Floor division, also before 1970.
    let minute = detectedAt >= 0 ? detectedAt / 60_000_000 : -((-detectedAt + 59_999_999) / 60_000_000)
    counts[Key(location: location, windowStart: minute * 60_000_000, item: Array(item.utf8)), default: 0] += 1
    return true
  }

  /// I2: where the stored windows differ, one line each (the first few).
  public func differences(_ connection: Connection) throws -> [String] {
    let result = try connection.execute(
      """
      SELECT geographical_location_oid, window_start, convert_to(item_name, 'UTF8'), item_count
      FROM window_count JOIN item USING (item_id)
      """
    )
    var stored: [Key: Int64] = [:]
    for row in 0..<result.count {
      let key = Key(
        location: try result.int64(row, 0),
        windowStart: try result.timestamp(row, 1),
        item: try result.bytes(row, 2)
      )
      stored[key, default: 0] += try result.int64(row, 3)
    }
    let wrong = Set(stored.keys).union(counts.keys).filter { stored[$0] != counts[$0] }
    let lines = wrong.prefix(10).map {
      "I2: \($0): counted \(stored[$0] ?? 0), the truth is \(counts[$0] ?? 0)"
    }
    return wrong.count > 10 ? lines + ["I2: … \(wrong.count) windows differ"] : lines
  }
}
