import ArgumentParser
import CountStore
import Counting
import Foundation
import Postgres

/// `bench-queries`: how long questions about a long history take, and whether the responses are right.
@main
struct QueryBench: ParsableCommand {
  static let configuration = CommandConfiguration(commandName: "query-bench")

  @Option(help: "A database that is empty; without it, TOPITEMS_DATABASE_URL.")
  var database: String?
  @Option(help: "Days of minutes.")
  var days: Int64 = 7
  @Option(help: "Timed runs of each question.")
  var runs = 21
  @Option(help: "File for the figures.")
  var json: String?

  /// A span of time up to the newest minute, and how long the response may take.
  private static let questions: [(name: String, duration: String, milliseconds: Double)] = [
    ("last hour", "PT1H", 10), ("last day", "P1D", 15), ("last 30 days", "P30D", 20),
    ("last year", "P365D", 30),
  ]

  func run() throws {
    guard let url = database ?? ProcessInfo.processInfo.environment["TOPITEMS_DATABASE_URL"] else {
      throw ValidationError("TOPITEMS_DATABASE_URL is not set.")
    }
    let connection = try Connection(ConnectionOptions(url: url))
    _ = try CountStore(connection).migrate()
    let history = try SyntheticHistory(connection, days: days)
    let loaded = try clock { try history.load() }
    var report = RetentionReport()
    var policy = RetentionPolicy()
    policy.minutes = days * 86_400
    policy.dedupHorizon = days * 86_400
    var retention = Retention(policy)
    let store = CountStore(connection)
    let now = try store.checkClock().verdict.get()
    let folded = try clock { report = try retention.run(on: connection, at: now) }
    try connection.run(script: "ANALYZE; CHECKPOINT")
    let rows = try history.rows()
    let sums = report.folded.reduce(0) { $0 + $1.rows }
    print(
      """
      \(rows.minutes) minute, \(rows.hours) hour, \(rows.days) day and \(rows.months) month rows; inserted in \
      \(Int(loaded)) s, of which \(sums) folded in \(Int(folded)) s; \(rows.megabytes) MB
      """
    )

    var options = ConnectionOptions(url: url)
    options.settings = CountStore.readerSettings
    let reader = CountStore(try Connection(options))
    print(
      column("top 10 of a dense location", 28) + column("median ms", 12) + column("p95 ms", 10) + "target ms"
    )
    var results: [[String: Any]] = []
    for question in Self.questions {
      guard let span = TimeSpan(iso8601: question.duration) else { continue }
      let query = TopItemsQuery(
        locations: [1],
        n: 10,
        range: .newest(span),
        grouping: .location,
        maximumRows: 10
      )
      for _ in 0..<3 { _ = try reader.topItems(query) }
      var times: [Double] = []
      for _ in 0..<runs { times.append(try clock { _ = try reader.topItems(query) } * 1000) }
      times.sort()
      let (median, p95) = (times[times.count / 2], times[times.count * 95 / 100])
      let isMet = median <= question.milliseconds
      print(
        column(question.name, 28) + column(text(median), 12) + column(text(p95), 10)
          + "\(text(question.milliseconds))\(isMet ? "" : "  missed")"
      )
      results.append([
        "question": question.name, "median_ms": median, "p95_ms": p95, "target_ms": question.milliseconds,
        "met": isMet,
      ])
    }
    let checked = try check(history, reader)
    print("\(checked) answers equal a recount of the raw numbers")
    if let json {
      let figures: [String: Any] = [
        "results": results, "checked": checked, "minute_rows": rows.minutes, "hour_rows": rows.hours,
        "day_rows": rows.days, "month_rows": rows.months, "load_seconds": loaded, "fold_seconds": folded,
        "folded_rows": sums, "megabytes": rows.megabytes,
        "cores": ProcessInfo.processInfo.activeProcessorCount,
      ]
      let data = try JSONSerialization.data(withJSONObject: figures, options: [.prettyPrinted, .sortedKeys])
      try data.write(to: URL(fileURLWithPath: json))
    }
  }

  /// Compares all items of the timed questions and of random ranges with what the history's formulas give.
  private func check(_ history: SyntheticHistory, _ reader: CountStore) throws -> Int {
    var ranges: [(location: Int64, range: TopItemsRange)] = []
    for question in Self.questions {
      if let span = TimeSpan(iso8601: question.duration) {
        ranges += [(1, .newest(span)), (500, .newest(span))]
      }
    }
    for number in 0..<12 {
      // Where only hours are kept, the store widens a range, and says so; the recount follows.
      let a = Int64.random(in: history.start...history.end)
      let b = Int64.random(in: a...history.end)
      let range = TopItemsRange.between(Timestamp(microseconds: a), Timestamp(microseconds: b))
      ranges.append((number % 3 == 0 ? 2 : Int64.random(in: 3...1000), range))
    }
    for (location, range) in ranges {
      let answer = try reader.topItems(
        TopItemsQuery(locations: [location], n: 1000, range: range, grouping: .location, maximumRows: 1000)
      )
      guard let from = answer.from, let to = answer.to else { throw ValidationError("no range in an answer") }
      let truth = try history.recount(location, from: from.microseconds, to: to.microseconds)
      let stored = Dictionary(uniqueKeysWithValues: answer.rows.map { ($0.itemName, $0.count) })
      guard stored == truth else {
        throw ValidationError("location \(location), \(from.rfc3339) to \(to.rfc3339): the answer is wrong")
      }
    }
    return ranges.count
  }

  private func clock(_ body: () throws -> Void) rethrows -> Double {
    let began = ContinuousClock.now
    try body()
    return began.duration(to: .now) / .seconds(1)
  }

  private func text(_ number: Double) -> String { String(format: "%.1f", number) }

  private func column(_ text: String, _ width: Int) -> String {
    text.padding(toLength: max(width, text.count), withPad: " ", startingAt: 0)
  }
}
