import CountStore
import Counting
import Postgres
public import Prometheus

/// A worker's figures since it started, fed by its observations.
public struct IngestionMetrics: Sendable {
  private var fates = FateCounts()
  private var batches: [(path: String, count: Int)] = [("optimistic", 0), ("careful", 0)]
  private var batchMessages = Histogram(bounds: [1, 10, 100, 1000, 5000, 10_000, 20_000, 50_000, 100_000])
  private var phases: [BatchPhase: Histogram] = [:]
  private var newestEvents: [PartitionKey: Timestamp] = [:]
  private var retries: [String: Int] = [:]
  private var rebalances = 0
  private var fenced = 0
  private var gaps = 0
  private var revision: Int64 = 0
  private var clock: DatabaseClock?
  private var clockCheck: ClockCheck?

  private static let seconds = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
  ]

  /// Without figures yet.
  public init() {}

  /// Takes note of what happened.
  public mutating func record(_ observation: IngestionObservation) {
    switch observation {
    case .committed(let report): add(report)
    case .retrying(let error, _):
      retries[error.class.isEmpty ? error.kind.rawValue : error.class, default: 0] += 1
    case .assigned: rebalances += 1
    case .revoked(let keys, _):
      for key in keys {
        newestEvents[key] = nil
      }
    case .fenced: fenced += 1
    case .gap(_, let range): gaps += range.count
    case .clock(let check): clockCheck = check
    default: break
    }
  }

  private mutating func add(_ report: BatchReport) {
    fates += report.fates
    revision = report.revision
    clock = DatabaseClock(report.bounds)
    batches[report.usedCarefulPath ? 1 : 0].count += 1
    batchMessages.record(Double(report.fates.total))
    for (phase, microseconds) in report.times.microseconds {
      phases[phase, default: Histogram(bounds: Self.seconds)].record(Double(microseconds) / 1_000_000)
    }
    for part in report.parts {
      guard let newest = part.maximumEventAt else { continue }
      newestEvents[part.key] = max(newest, newestEvents[part.key] ?? newest)
    }
  }

  /// Writes the figures for Prometheus.
  public func write(to page: inout Exposition) {
    page.counter(
      "topitems_messages_total",
      "Messages committed, by what became of them.",
      Fate.allCases.map { .init([("fate", $0.rawValue)], Double(fates[$0])) }
    )
    page.counter(
      "topitems_batches_total",
      "Batches committed, by the way in which their detections were stored.",
      batches.map { .init([("path", $0.path)], Double($0.count)) }
    )
    page.histogram("topitems_batch_messages", "Messages in a batch.", [([], batchMessages)])
    page.histogram(
      "topitems_batch_seconds",
      "Seconds that a batch took, by phase.",
      phases.sorted { $0.key.rawValue < $1.key.rawValue }.map { ([("phase", $0.key.rawValue)], $0.value) }
    )
    if let now = clock?.estimate(), let watermark = newestEvents.values.min() {
      page.gauge(
        "topitems_watermark_age_seconds",
        "Seconds from the smallest of the partitions' newest event times to the database's clock.",
        [.init(Double(now.microseconds - watermark.microseconds) / 1_000_000)]
      )
    }
    page.gauge(
      "topitems_revision",
      "The newest revision that this worker committed.",
      [.init(Double(revision))]
    )
    page.counter(
      "topitems_retries_total",
      "Batches and claims that did not get through, by class of SQLSTATE or kind of error.",
      retries.sorted { $0.key < $1.key }.map { .init([("class", $0.key)], Double($0.value)) }
    )
    page.counter(
      "topitems_assignments_total",
      "Times that Kafka assigned partitions.",
      [.init(Double(rebalances))]
    )
    page.counter(
      "topitems_fenced_total",
      "Times that another worker held a partition.",
      [.init(Double(fenced))]
    )
    page.counter(
      "topitems_gap_messages_total",
      "Messages that Kafka had deleted before they were counted.",
      [.init(Double(gaps))]
    )
    if let clockCheck { Self.add(clockCheck, to: &page) }
  }

  private static func add(_ check: ClockCheck, to page: inout Exposition) {
    page.gauge(
      "topitems_clock_agreed",
      "Whether a second source agrees with the database's clock: 1, or 0 while retention stands still.",
      [.init(check.agreed == nil ? 0 : 1)]
    )
    let ahead =
      switch check.verdict {
      case .success(let agreed): check.reading.database.microseconds - agreed.time.microseconds
      case .failure(let disagreement): disagreement.ahead
      }
    page.gauge(
      "topitems_clock_ahead_seconds",
      "How far the database's clock is ahead of the second source; 0 when it is behind it and they agree.",
      [.init(Double(ahead) / 1_000_000)]
    )
  }
}
