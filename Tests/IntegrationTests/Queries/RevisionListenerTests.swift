import CountStore
import Counting
import Foundation
import Threading
import Postgres
import TestSupport
import Testing

@Suite("Hearing of changes")
struct RevisionListenerTests {
  @Test("every batch, import and retirement is reported, with what it changed")
  func changes() throws {
    try CountStoreFixture.with { fixture throws in
      try Listening.with(fixture.url) { received in
        try waitUntil("it listens") { received.ways == [.listening] }
        var claim = try #require(try fixture.claim())
        for (number, location) in [1, 2, 1].enumerated() as EnumeratedSequence<[Int64]> {
          let batch = fixture.batch(claim, [.init(oid: Int64(number), location: location, at: Int64(number))])
          let revision = try #require(try fixture.apply(batch).revision)
          claim = fixture.after(batch)
          let notice = RevisionNotice(
            revision: revision,
            newestEvent: Timestamp(microseconds: fixture.origin + Int64(number)),
            locations: [location]
          )
          try waitUntil("the batch is reported") { received.news.last == CommittedChanges([notice]) }
        }
        _ = try fixture.store.importLocations([Location(oid: 7, name: "Gate")], replace: false, dryRun: false)
        try waitUntil("the import is reported") { received.news.last?.alone == [7] }
        #expect(received.news.count == 4)
      }
    }
  }

  @Test(
    "of one location, many commits are reported at most twenty times a second; of another, the only one at once"
  )
  func pace() throws {
    try CountStoreFixture.with { fixture throws in
      try Listening.with(fixture.url) { received in
        try waitUntil("it listens") { !received.ways.isEmpty }
        func change(_ location: Int64, _ name: String) throws {
          let location = Location(oid: location, name: name)
          _ = try fixture.store.importLocations([location], replace: false, dryRun: false)
        }
        let began = ContinuousClock.now
        var number = 0
        while ContinuousClock.now - began < .seconds(1) {
          number += 1
          try change(1, "Gate \(number)")
        }
        try change(2, "Door")
        try waitUntil("all are reported") {
          received.news.contains { $0.alone?.contains(2) == true }
            && received.news.contains { $0.together?.contains(2) == true }
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        for way in [\CommittedChanges.alone, \.together] {
          let times = received.news.count { $0[keyPath: way]?.contains(1) == true }
          #expect(Double(times) <= 15 * seconds + 5)
        }
      }
    }
  }

  @Test("a session that ends is reported, and another session takes its place")
  func terminated() throws {
    try CountStoreFixture.with { fixture throws in
      try Listening.with(fixture.url) { received in
        for round in 1...3 {
          try waitUntil("it listens") { received.ways.count == round }
          try waitUntil("its session is ended") {
            try fixture.number(
              """
              SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
              WHERE application_name = 'the listener' AND datname = current_database()
              """
            ) == 1
          }
          try waitUntil("it is reported") { received.losses >= round }
        }
        try waitUntil("it listens again") { received.ways == Array(repeating: .listening, count: 4) }
        _ = try fixture.store.importLocations([Location(oid: 7, name: "Gate")], replace: false, dryRun: false)
        try waitUntil("the import is reported") { received.news.last?.alone == [7] }
      }
    }
  }

  @Test("where notifications do not arrive, as behind some poolers, changes are polled for")
  func deaf() throws {
    try CountStoreFixture.with { fixture throws in
      try Listening.with(fixture.url) { received in
        try waitUntil("it listens") { received.ways == [.listening] }
        // A revision without a notification.
        try fixture.connection.run(script: "INSERT INTO revision (revision, locations) VALUES (7, '{1}')")
        try waitUntil("it notices, and polls") { received.ways == [.listening, .polling] }
        #expect(received.losses == 1)
        try fixture.connection.run(
          script: "INSERT INTO revision (revision, locations) VALUES (8, '{2,3}'), (9, NULL)"
        )
        try waitUntil("they are found") { !received.news.isEmpty }
        #expect(received.news.map(\.alone) == [nil], "a revision without locations may have changed any")
      }
    }
  }

  @Test("after missed notifications it listens again, and then receives changes at once")
  func hearsAgain() throws {
    try CountStoreFixture.with { fixture throws in
      try Listening.with(fixture.url, pollingSpan: .milliseconds(500)) { received in
        try waitUntil("it listens") { received.ways == [.listening] }
        try fixture.connection.run(script: "INSERT INTO revision (revision, locations) VALUES (7, '{1}')")
        try waitUntil("it listens again") { received.ways.count > 1 && received.ways.last == .listening }
        _ = try fixture.store.importLocations([Location(oid: 7, name: "Gate")], replace: false, dryRun: false)
        try waitUntil("the import is reported") { received.news.last?.alone == [7] }
        let confirmations = received.confirmations
        try waitUntil("it is still trusted") { received.confirmations > confirmations }
        #expect(received.ways.last == .listening && received.losses == 1)
      }
    }
  }

  /// The listener's question for the newest revision waits for a lock; what it then says has two commits, of which one
  /// is reported with it, and the other one when the listener has passed on the first.
  @Test(
    "a commit whose notification comes a moment after it is visible is no miss, also when another comes before it"
  )
  func late() throws {
    try CountStoreFixture.with { fixture throws in
      let url = fixture.url
      @Sendable func notify(_ payload: String) -> String {
        "SELECT pg_notify('\(CountStore.revisionChannel)', '\(payload)')"
      }
      let pass: @Sendable (CommittedChanges) -> Void = { received in
        guard received.alone == [1] else { return }
        do {
          try Connection(ConnectionOptions(url: url)).run(script: notify("8 - 2"))
        } catch {
          Issue.record(error)
        }
      }
      try Listening.with(url, onNews: pass) { received in
        try waitUntil("it listens") { received.ways == [.listening] }
        let writer = try Connection(ConnectionOptions(url: url))
        try writer.run(script: "BEGIN; LOCK TABLE revision IN ACCESS EXCLUSIVE MODE")
        try waitUntil("it asks for the newest revision") {
          try fixture.number(
            """
            SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'
            AND application_name = 'the listener' AND datname = current_database()
            """
          ) == 1
        }
        try writer.run(
          script: """
            INSERT INTO revision (revision, locations) VALUES (7, '{1}'), (8, '{2}');
            \(notify("7 - 1")); COMMIT
            """
        )
        try waitUntil("both are reported") { received.news.contains { $0.alone == [2] } }
        let confirmations = received.confirmations
        try waitUntil("it is still trusted") { received.confirmations > confirmations }
        #expect(received.ways == [.listening] && received.losses == 0)
      }
    }
  }

  @Test("a standby, which takes no LISTEN, is polled without a break")
  func standby() throws {
    let cluster = try PostgresCluster(fsync: false)
    defer { cluster.remove() }
    _ = try CountStore(Connection(ConnectionOptions(url: cluster.url()))).migrate()
    try cluster.stop()
    // It waits for a primary that never comes, and can be read.
    _ = FileManager.default.createFile(atPath: cluster.folder + "/data/standby.signal", contents: nil)
    try cluster.start()
    try Listening.with(cluster.url(), pollingSpan: .milliseconds(1)) { received in
      try waitUntil("it polls") { received.confirmations > 5 }
      #expect(
        received.ways == [.polling],
        "it has tried to listen again and again, and nothing was forgotten"
      )
      #expect(received.losses == 0)
    }
  }

  @Test(
    "where the name leads to the primary again, it listens there, although its session with the standby lives"
  )
  func leavesStandby() throws {
    let standby = try PostgresCluster(fsync: false)
    defer { standby.remove() }
    _ = try CountStore(Connection(ConnectionOptions(url: standby.url()))).migrate()
    try standby.stop()
    _ = FileManager.default.createFile(atPath: standby.folder + "/data/standby.signal", contents: nil)
    try standby.start()
    // Both take the same password.
    let primary = try PostgresCluster(fsync: false)
    defer { primary.remove() }
    try Connection(ConnectionOptions(url: primary.url())).run(
      script: "ALTER USER postgres PASSWORD '\(standby.password)'"
    )
    let url = standby.url().replacing(":\(standby.port)/", with: ":\(primary.port)/")
    _ = try CountStore(Connection(ConnectionOptions(url: url))).migrate()
    let proxy = try FaultProxy(toPort: standby.port)
    defer { proxy.close() }
    try Listening.with(proxy.url(standby.url()), pollingSpan: .milliseconds(300)) { received in
      try waitUntil("it polls the standby") { received.ways == [.polling] && received.confirmations > 5 }
      try proxy.retarget(to: "127.0.0.1:\(primary.port)")
      try waitUntil("it listens to the primary") { received.ways == [.polling, .listening] }
      let store = CountStore(try Connection(ConnectionOptions(url: url)))
      _ = try store.importLocations([Location(oid: 7, name: "Gate")], replace: false, dryRun: false)
      try waitUntil("the import is reported") { received.news.last?.alone == [7] }
    }
  }
}

/// What a listener reports.
private final class Listening: Sendable {
  private struct State {
    var ways: [RevisionListener.Mode] = []
    var news: [CommittedChanges] = []
    var confirmations = 0
    var losses = 0
  }

  private let state = Lock(State())
  private let isDone = Flag()

  var ways: [RevisionListener.Mode] { state.withLock { $0.ways } }
  var news: [CommittedChanges] { state.withLock { $0.news } }
  /// How often it was notified that there is nothing.
  var confirmations: Int { state.withLock { $0.confirmations } }
  var losses: Int { state.withLock { $0.losses } }

  /// Listens as a server does, for as long as the body runs.
  ///
  /// - Parameter onNews: is called with each change, on the listener's thread.
  static func with(
    _ url: String,
    pollingSpan: Duration = .seconds(60),
    onNews: @escaping @Sendable (CommittedChanges) -> Void = { _ in },
    _ body: (Listening) throws -> Void
  ) throws {
    let received = Listening()
    var options = ConnectionOptions(url: url)
    options.applicationName = "the listener"
    options.settings = [("default_transaction_read_only", "on"), ("statement_timeout", "10s")]
    let isStopping: @Sendable () -> Bool = { received.isDone.isSet }
    let listener = RevisionListener(options, pollingSpan: pollingSpan, isStopping: isStopping) { news in
      received.take(news)
      if case .changed(let changes) = news, !changes.isEmpty { onNews(changes) }
    }
    let work = Background { listener.run() }
    defer { received.isDone.set() }
    try body(received)
    received.isDone.set()
    try work.value()
  }

  private func take(_ news: RevisionEvent) {
    state.withLock { state in
      switch news {
      case .attached(let way): state.ways.append(way)
      case .changed(let received) where received.isEmpty: state.confirmations += 1
      case .changed(let received): state.news.append(received)
      case .workers: break
      case .detached: state.losses += 1
      }
    }
  }
}
