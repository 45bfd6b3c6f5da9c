import Counting

/// The endless stream of messages of a scenario, and the truth about it.
///
/// A function of the scenario alone: no clock, no I/O. Memory: the truth (see ``Truth``), four bytes for each
/// location and item, and 6.4 MB for the last 200,000 events that may be sent again.
public struct CameraStream: ~Copyable {
  /// What a perfect counter would have counted of the messages made so far.
  public private(set) var truth: Truth

  private let scenario: Scenario
  private let catalogue: ItemCatalogue
  private let itemRanks: ZipfDistribution
  private let locationRanks: ZipfDistribution
  private let fates: FateShares
  private var ranking: ItemRanking
  private var oids: DetectionOids
  private var random: SeededRandom
  private var recent = RecentEvents()
  private var made = 0
  private var malformedSent = 0
  private var payload: [UInt8] = []
  private var key: [UInt8] = []

  /// Some places are busier than others: the exponent of the locations' own Zipf distribution.
  private static let locationExponent = 0.3
  private static let day = 86_400_000_000

  /// A stream at its beginning.
  public init(_ scenario: Scenario) throws(ScenarioError) {
    try scenario.validate()
    self.scenario = scenario
    catalogue = ItemCatalogue(items: scenario.items)
    truth = Truth(catalogue)
    itemRanks = ZipfDistribution(ranks: scenario.items, exponent: scenario.zipfExponent)
    locationRanks = ZipfDistribution(ranks: scenario.locations, exponent: Self.locationExponent)
    fates = FateShares(scenario)
    ranking = ItemRanking(
      locations: scenario.locations,
      items: scenario.items,
      stepLength: scenario.driftInterval,
      seed: scenario.seed
    )
    oids = DetectionOids(order: scenario.oidOrder, seed: scenario.seed)
    random = SeededRandom(seed: scenario.seed, stream: 0)
  }

  /// Makes the next message; the truth includes it from then on.
  ///
  /// Its bytes are the stream's own buffer, which is reused if the message is gone before the next one is made.
  public mutating func next() -> SimulatedMessage {
    payload.removeAll(keepingCapacity: true)
    let fate: Fate
    let location: Int
    var partition: Int32?
    let wanted = fates.draw(random.unit())
    if wanted == .duplicate, let event = recent.pick(&random) {
      fate = .duplicate
      location = Int(event.location)
      event.appendJSON(to: &payload, catalogue)
      // Half of the resends come another way. Chance may pick the same partition again; that is fine.
      if random.next() & 1 == 0 { partition = Int32(random.below(Int(scenario.partitions))) }
    } else if wanted == .deadLetter {
      fate = wanted
      location = random.below(scenario.locations)
      payload.append(contentsOf: MalformedPayload.all[malformedSent % MalformedPayload.all.count].bytes)
      malformedSent += 1
    } else if wanted == .tombstone {
      fate = wanted
      location = random.below(scenario.locations)
    } else {
      // Nothing to send again yet: a first event instead of a resend.
      fate = wanted == .duplicate ? .counted : wanted
      let event = makeEvent(fate)
      location = Int(event.location)
      event.appendJSON(to: &payload, catalogue)
      if fate == .counted {
        recent.append(event)
        truth.count(event)
      }
    }
    truth.record(fate)
    made += 1
    key.removeAll(keepingCapacity: true)
    key.append(decimal: Int64(location) + 1)
    return SimulatedMessage(
      fate: fate,
      location: location,
      partition: partition,
      key: key,
      payload: fate == .tombstone ? nil : payload
    )
  }

  private mutating func makeEvent(_ fate: Fate) -> SimulatedEvent {
    let elapsed = Int64(Double(made) * 1_000_000 / scenario.rate)
    let location = locationRanks.draw(&random)
    let rank = itemRanks.draw(&random)
    let item = ranking.item(rank: rank, location: location, elapsed: elapsed)
    let now = scenario.start.microseconds - scenario.backlog + elapsed
    let detectedAt =
      switch fate {
      case .late: now - scenario.lateBehind - Int64(random.below(Self.day))
      case .future:
        max(now, scenario.start.microseconds) + scenario.futureAhead + Int64(random.below(Self.day)) + 1_000
      default:
        // Squared: most events are fresh, a few took their time.
        now - Int64(random.unit() * random.unit() * Double(scenario.jitter))
      }
    return SimulatedEvent(
      detectionOid: oids.next(),
      // Cameras send the time in milliseconds.
      detectedAt: Timestamp(microseconds: detectedAt - (detectedAt % 1_000 + 1_000) % 1_000),
      location: Int32(location),
      item: Int32(item),
      camera: Int32(random.below(scenario.camerasPerLocation))
    )
  }
}

/// The shares of the fates as bounds in [0, 1): a number drawn there belongs to the first bound above it.
private struct FateShares: Sendable {
  private let duplicate, late, future, deadLetter, tombstone: Double

  init(_ scenario: Scenario) {
    duplicate = scenario.duplicates
    late = duplicate + scenario.late
    future = late + scenario.future
    deadLetter = future + scenario.malformed
    tombstone = deadLetter + scenario.tombstones
  }

  func draw(_ number: Double) -> Fate {
    if number >= tombstone { return .counted }
    if number < duplicate { return .duplicate }
    if number < late { return .late }
    if number < future { return .future }
    return number < deadLetter ? .deadLetter : .tombstone
  }
}
