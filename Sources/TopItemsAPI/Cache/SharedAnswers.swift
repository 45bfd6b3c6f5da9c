public import CountStore

/// What the API keeps in memory to answer many clients by one query: answers, and who follows them.
public struct SharedAnswers: Sendable {
  let cache: AnswerCache
  let live: LiveAnswers
  /// What is known of the workers.
  public let freshness = KnownFreshness()

  /// - Parameters:
  ///   - bytes: how much memory answers may take; with 0 none is kept.
  ///   - limits: of live push.
  ///   - run: has work done on a thread that may wait for the database; false when too much waits already.
  ///   - after: has work done later, on any thread; the work does not wait.
  public init(
    bytes: Int,
    limits: LiveLimits = LiveLimits(),
    run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
    after: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
  ) {
    cache = AnswerCache(capacity: bytes, run: run)
    live = LiveAnswers(cache, limits: limits, after: after)
  }

  /// Takes the news of a `RevisionListener`. Until the first, nothing is answered from memory.
  public func tell(_ news: RevisionNews) {
    // Before the cache forgets: what is computed from now on says the new state.
    let hasTurned = freshness.note(news, at: .now)
    if case .workers = news, !hasTurned { return }
    cache.tell(news)
    live.noteNews()
  }

  /// How well it does.
  public var statistics: AnswerStatistics { cache.statistics }

  /// Whether the connection that listens for changes is heard of.
  public var isListening: Bool { cache.isTrusted }

  /// How many clients follow answers.
  public var streams: Int { live.count }
}
