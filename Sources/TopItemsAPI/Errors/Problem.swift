import HTTP

/// A problem document (RFC 9457), the body of every response that is an error.
struct Problem: Equatable {
  /// The last part of `type`, `urn:topitems:problem:…`: what a program may switch on.
  var type: String
  var status: Status
  /// The same for every problem of the type.
  var title: String
  /// What is wrong this time and what to do about it. It never repeats a parameter's value: a secret typed into
  /// the wrong place must not come back in a page or a log.
  var detail: String
  /// The parameter that is to blame.
  var param: String?
  /// Seconds, 1…120.
  var retryAfter: Int?
  /// The methods that a 405 has to list.
  var allow: [Method] = []

  /// - Parameter instance: the path of the request as it was sent, without the query, where a key may stand.
  func body(instance: String?) -> [UInt8] {
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
