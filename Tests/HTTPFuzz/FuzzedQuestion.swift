import CountStore
import Counting
import HTTP
import OData
import Threading
import TopItemsAPI

/// A question to the API, whose parameters, dates, expressions of OData and fields are read by parsers of ours: it is
/// answered or refused, never failed at, and always alike.
struct FuzzedQuestion: Fuzzed {
  /// Fields that are parsed, with values worth changing.
  private static let fields = [
    ("Accept", "application/json;odata.metadata=minimal;q=1.0,text/csv;q=0.9,*/*;q=0.1"),
    ("Accept-Encoding", "gzip;q=0.5, identity;q=0, *"), ("If-None-Match", "W/\"abc\", \"x\""),
    ("Last-Event-ID", "88121-quiet1793607332"),
    ("Prefer", "odata.maxpagesize=2; respond-async, odata.continue-on-error"),
    ("OData-MaxVersion", "4.0"), ("Origin", "https://a.example"), ("X-Forwarded-Proto", "https, http"),
  ]
  /// Over a database in which nothing is, with responses in memory.
  private static let api = TopItemsAPI(
    backend: .empty,
    odata: ODataService(read: { _, body in body(BIRows(count: 0) { nil }) }),
    shared: SharedResponses(
      bytes: 1 << 20,
      run: { work in
        work()
        return true
      },
      after: { _, _ in }
    )
  )

  let bytes: [UInt8]
  private let request: Request?

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    var target = corpus.questions[random.number(0...corpus.questions.count - 1)]
    random.mutate(&target)
    var fields: Fields = ["Host": "counts.example"]
    for (name, value) in Self.fields where random.number(0...3) == 0 {
      var value = Array(value.utf8)
      random.mutate(&value)
      fields.append(name, String(decoding: value, as: UTF8.self))
    }
    bytes = target + fields.flatMap { Array("\n\($0.name): \($0.value)".utf8) }
    let text = String(validating: target, as: UTF8.self)
    request = text.flatMap { try? Target($0) }.map { Request(target: $0, fields: fields) }
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    guard let request else { return nil }
    let answer = Self.answer(request)
    guard let answer else { return BrokenLaw(law: "an answer begins", input: bytes) }
    // Without a database nothing else can fail: 500 is a bug.
    guard [200, 204, 304, 400, 404, 406, 410, 501].contains(answer.status.rawValue) else {
      return BrokenLaw(law: "a question is answered or refused, not with \(answer.status)", input: bytes)
    }
    guard Self.answer(request)?.status == answer.status else {
      return BrokenLaw(law: "asked again, the answer is of the same kind", input: bytes)
    }
    return nil
  }

  /// The head of the response; a subscription ends at once.
  private static func answer(_ request: Request) -> Response? {
    switch api.handle(request) {
    case .ready(let response): return response
    case .blocking(let work): return work()
    case .streaming(let work):
      let head = Lock<Response?>(nil)
      try? work(
        ResponseStream { part throws(StreamBroken) in
          if case .head(let response) = part { head.withLock { $0 = response } }
        }
      )
      return head.withLock { $0 }
    case .push(let subscribe):
      let head = Lock<Response?>(nil)
      let closing = Lock<[@Sendable () -> Void]>([])
      let channel = PushChannel(
        send: { signal in
          switch signal {
          case .answer(let whole): head.withLock { $0 = whole }
          case .begin(let response, _): head.withLock { $0 = response }
          case .message, .end: break
          }
        },
        onClose: { close in closing.withLock { $0.append(close) } }
      )
      subscribe(channel)
      for close in closing.withLock({ $0 }) { close() }
      return head.withLock { $0 }
    }
  }
}

extension Backend {
  /// A database without an event.
  fileprivate static let empty: Backend = {
    let list = TopItems(from: nil, to: nil, revision: 1, watermark: nil, state: .open, rows: [])
    return Backend(
      topItems: { _ in list },
      eachTopItem: { _, _, begin, _ in try begin(list) },
      series: { Series(labels: list.labels, bucket: $0.bucket, rows: []) },
      eachLocation: { _, _, begin, _ in try begin(1) },
      eachItem: { _, _, _, begin, _ in try begin(1) },
      offsets: { _, times in times.map { _ in 3600 } },
      readiness: { $0(.success(.ready)) },
      status: {
        SystemStatus(
          revision: 1,
          watermark: nil,
          partitions: [],
          deadLettersKept: 0,
          quarantined: 0,
          camerasKnown: 0,
          cameraProblems: [],
          otherCameras: CameraCounters(),
          workers: WorkerReading(now: Timestamp(microseconds: 0), lastMessageAt: nil, workers: [])
        )
      }
    )
  }()
}
