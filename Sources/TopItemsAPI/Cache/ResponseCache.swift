import APICore
import CountStore
import Counting
import HTTP
import Threading

/// Encoded responses in memory, each until something changes that it depends on.
///
/// A hit is found by the target as it was sent, on the event loop, without the database and without parsing. Of a miss,
/// one query serves all requests that arrive meanwhile; none of them holds a thread.
final class ResponseCache: Sendable {
  /// Has work done on a thread that may wait; false when too much is waiting already.
  typealias Run = @Sendable (@escaping @Sendable () -> Void) -> Bool

  private let table: Lock<ResponseTable>
  private let run: Run
  private let now: @Sendable () -> ContinuousClock.Instant
  /// How long silence is trusted.
  private static let trust = RevisionListener.heartbeat * 3

  /// - Parameter capacity: bytes; with 0 nothing is kept, but simultaneous queries are still answered once.
  init(
    capacity: Int,
    now: @escaping @Sendable () -> ContinuousClock.Instant = { .now },
    run: @escaping Run
  ) {
    table = Lock(ResponseTable(capacity: capacity))
    self.now = now
    self.run = run
  }

  // MARK: News

  /// Takes change notifications. Until the first, and while the listener is away, nothing is answered from memory.
  func receive(_ event: RevisionEvent) {
    let now = now()
    table.withLock { table in
      switch event {
      case .attached: table.invalidateAll(trustedUntil: now + Self.trust)
      case .changed(let committed): table.record(committed, trustedUntil: now + Self.trust)
      case .workers: table.recordState()
      case .detached: table.invalidateAll(trustedUntil: nil)
      }
    }
  }

  /// Whether changes are being received at this moment.
  var isTrusted: Bool { table.withLock { $0.isTrusted(now()) } }

  /// Whether a response may still be given out.
  func holds(_ answer: SharedResponse) -> Bool { table.withLock { $0.holds(answer, now()) } }

  /// How well it does.
  var statistics: ResponseCacheStatistics {
    table.withLock {
      ResponseCacheStatistics(
        answers: $0.count,
        bytes: $0.bytes,
        hits: $0.hits,
        computations: $0.computations
      )
    }
  }

  // MARK: Requests

  /// The response to a target that was answered before, if it still holds.
  ///
  /// - Parameter scope: what the caller may see, see `SharedQuery.Key`.
  func hit(_ request: Request, scope: LocationScope) -> Response? {
    guard let alias = Self.alias(request, scope: scope) else { return nil }
    let wish = SharedResponse.Wish(request.fields)
    let now = now()
    return table.withLock { $0.find(alias, acceptsGzip: wish.acceptsGzip, now) }?.response(to: wish)
  }

  /// Answers a request, from memory or when the response has come.
  ///
  /// - Parameter problem: the response to what went wrong.
  func reply(
    _ query: SharedQuery,
    to request: Request,
    scope: LocationScope,
    problem: @escaping @Sendable (APIError) -> Response
  ) -> Reply {
    let alias = Self.alias(request, scope: scope)
    let wish = SharedResponse.Wish(request.fields)
    return .push { [self] channel in
      let step = ask(query, acceptsGzip: wish.acceptsGzip, alias: alias) { outcome in
        switch outcome {
        case .success(let answer): channel.answer(answer.response(to: wish, isFresh: true))
        case .failure(let error): channel.answer(problem(error))
        }
      }
      switch step {
      case .have(let answer): channel.answer(answer.response(to: wish))
      case .wait(let number), .begin(let number):
        channel.whenClosed { [self, key = query.key] in table.withLock { $0.leave(key, number) } }
      }
    }
  }

  /// Calls `deliver` once with a response that includes all changes received before: at once, or on another thread.
  func ask(
    _ query: SharedQuery,
    acceptsGzip: Bool = false,
    deliver: @escaping @Sendable (Result<SharedResponse, APIError>) -> Void
  ) {
    let step = ask(query, acceptsGzip: acceptsGzip, alias: nil, waiter: deliver)
    if case .have(let answer) = step { deliver(.success(answer)) }
  }

  /// The one look for a query: the response, or a waiter for it. Begins the computation if there is none.
  private func ask(
    _ query: SharedQuery,
    acceptsGzip: Bool,
    alias: ResponseTable.Alias?,
    waiter: @escaping ResponseTable.Waiter
  ) -> ResponseTable.Step {
    let now = now()
    let step = table.withLock {
      $0.join(query.key, alias: alias, acceptsGzip: acceptsGzip, now, waiter)
    }
    if case .begin = step { compute(query, alias) }
    return step
  }

  private func compute(_ query: SharedQuery, _ alias: ResponseTable.Alias?) {
    let isAccepted = run { [self] in
      let begun = now()
      guard table.withLock({ $0.begin(query.key, begun) }) else { return }
      let outcome: Result<SharedResponse, APIError>
      do throws(APIError) {
        let (response, dependency) = try query.answer()
        guard let flight = table.withLock({ $0.landing(query.key) }) else { return }
        outcome = .success(
          SharedResponse(
            response,
            dependency: dependency,
            sequence: flight.sequence,
            begun: flight.begun,
            wantsGzip: flight.wantsGzip
          )
        )
      } catch {
        outcome = .failure(error)
      }
      let now = now()
      let (done, again) = table.withLock { $0.land(query.key, outcome, alias: alias, now) }
      for receive in done { receive(outcome) }
      if again { compute(query, alias) }
    }
    guard !isAccepted else { return }
    for receive in table.withLock({ $0.abandon(query.key) }) { receive(.failure(.databaseBusy)) }
  }

  /// What finds the response again without parsing; nil where the response depends on more than the target.
  private static func alias(_ request: Request, scope: LocationScope) -> ResponseTable.Alias? {
    guard request.method == .get || request.method == .head else { return nil }
    var accept: String?
    if let bytes = request.fields.firstBytes(of: "Accept"), !bytes.elementsEqual("*/*".utf8) {
      accept = String(decoding: bytes, as: UTF8.self)
    }
    guard accept == nil || request.fields.values(of: "Accept").count == 1 else { return nil }
    return ResponseTable.Alias(target: request.target.raw, accept: accept, scope: scope)
  }
}

/// What the responses in memory amount to.
public struct ResponseCacheStatistics: Sendable, Equatable {
  /// How many are kept.
  public var answers: Int
  /// Roughly how much memory they take.
  public var bytes: Int
  /// How often one was given out.
  public var hits: Int
  /// How often one was computed.
  public var computations: Int
}
