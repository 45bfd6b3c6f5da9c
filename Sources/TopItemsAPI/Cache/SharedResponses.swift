public import CountStore

/// The API's shared responses: the cache, and the streams that follow it.
public struct SharedResponses: Sendable {
  let cache: ResponseCache
  let live: LiveStreams
  /// What is known of the workers.
  public let freshness = FreshnessCache()

  /// - Parameters:
  ///   - bytes: how much memory responses may take; with 0 none is kept.
  ///   - limits: of live push.
  ///   - run: has work done on a thread that may wait for the database; false when too much waits already.
  ///   - after: has work done later, on any thread; the work does not wait.
  public init(
    bytes: Int,
    limits: LiveLimits = LiveLimits(),
    run: @escaping @Sendable (@escaping @Sendable () -> Void) -> Bool,
    after: @escaping @Sendable (Duration, @escaping @Sendable () -> Void) -> Void
  ) {
    cache = ResponseCache(capacity: bytes, run: run)
    live = LiveStreams(cache, limits: limits, after: after)
  }

  /// Takes an event of a `RevisionListener`. Until the first, nothing is answered from memory.
  public func receive(_ event: RevisionEvent) {
    // Before the cache forgets: what is computed from now on says the new state.
    let hasTurned = freshness.record(event, at: .now)
    if case .workers = event, !hasTurned { return }
    cache.receive(event)
    live.recordChanges()
  }

  /// How well it does.
  public var statistics: ResponseCacheStatistics { cache.statistics }

  /// Whether the connection that listens for changes is alive.
  public var isListening: Bool { cache.isTrusted }

  /// How many clients follow answers.
  public var streams: Int { live.count }
}
