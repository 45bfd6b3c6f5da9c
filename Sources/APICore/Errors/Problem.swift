package import HTTP
import JSONText

/// A problem document (RFC 9457), the body of every response that is an error.
package struct Problem: Equatable {
  /// The last part of `type`, `urn:topitems:problem:…`: what a program may switch on.
  package var type: String
  package var status: Status
  /// The same for every problem of the type.
  package var title: String
  /// What is wrong this time and what to do about it. It never repeats a parameter's value: a secret typed into
  /// the wrong place must not come back in a page or a log.
  package var detail: String
  /// The parameter that is to blame.
  package var param: String?
  /// Seconds, 1…120.
  package var retryAfter: Int?
  /// The methods that a 405 has to list.
  package var allow: [Method]

  package init(
    type: String,
    status: Status,
    title: String,
    detail: String,
    param: String? = nil,
    retryAfter: Int? = nil,
    allow: [Method] = []
  ) {
    self.type = type
    self.status = status
    self.title = title
    self.detail = detail
    self.param = param
    self.retryAfter = retryAfter
    self.allow = allow
  }

  /// - Parameter instance: the path of the request as it was sent, without the query, where a key may stand.
  package func body(instance: String?) -> [UInt8] {
    var json = JSONWriter()
    json.object { json in
      json.name("type")
      json.string("urn:topitems:problem:" + type)
      json.name("title")
      json.string(title)
      json.name("status")
      json.integer(status.rawValue)
      json.name("detail")
      json.string(detail)
      if let instance {
        json.name("instance")
        json.string(instance)
      }
      if let param {
        json.name("param")
        json.string(param)
      }
    }
    return json.bytes
  }
}
