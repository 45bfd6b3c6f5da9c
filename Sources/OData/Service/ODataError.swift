import APICore
import CountStore
import HTTP
import JSONText

/// What is wrong with a request to the OData service, as a problem that is written in OData's own way.
struct ODataError: Error, Equatable {
  var problem: Problem

  /// 400: it is not OData, or not about what there is here.
  static func malformed(_ option: String?, _ detail: String) -> ODataError {
    ODataError(
      problem: Problem(
        type: "malformed-request",
        status: .badRequest,
        title: "The request is malformed",
        detail: detail,
        param: option
      )
    )
  }

  /// 501: it is OData, but not what this service does.
  static func unsupported(_ option: String?, _ detail: String) -> ODataError {
    ODataError(
      problem: Problem(
        type: "not-supported",
        status: .notImplemented,
        title: "This part of OData is not supported",
        detail: detail,
        param: option
      )
    )
  }

  /// 404: no such set, property or entity.
  static func notFound(_ detail: String) -> ODataError {
    ODataError(
      problem: Problem(
        type: "not-found",
        status: .notFound,
        title: "There is no such resource",
        detail: detail
      )
    )
  }

  /// 410: the pages that a token leads to are no longer there.
  static let pagesGone = ODataError(
    problem: Problem(
      type: "pages-gone",
      status: .gone,
      title: "The following pages are no longer held",
      detail: """
        Pages are held for 5 idle minutes, as far as memory allows, by the server that gave the first one. Start over \
        without $skiptoken; without odata.maxpagesize the whole result comes in one answer.
        """,
      param: "$skiptoken"
    )
  )

  init(problem: Problem) {
    self.problem = problem
  }

  init(_ error: APIError) {
    problem = error.problem
  }

  /// `{"error":{"code":…,"message":…,"target":…}}` (OData JSON Format 4.0, 19).
  var body: [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("error")
      json.object { json in
        json.name("code")
        json.string(problem.type)
        json.name("message")
        json.string("\(problem.title). \(problem.detail)")
        if let target = problem.param {
          json.name("target")
          json.string(target)
        }
      }
    }
    return json.bytes
  }
}
