import APICore
import HTTP
import JSONText

/// How a response is written: what `$format`, or else `Accept`, asks for (OData JSON Format 4.0, 3).
struct ODataFormat: Equatable {
  /// How much metadata a response contains.
  enum Metadata: String {
    case none
    case minimal
    case full
  }

  /// What a resource can be written as.
  enum Kind {
    /// JSON with OData's parameters.
    case data
    /// CSDL: XML, or JSON where XML is not wanted.
    case metadata
    /// Bare text.
    case text
  }

  /// A media range with its parameters, in lower case.
  private struct Range {
    var type: String
    var parameters: [String: String] = [:]
    var weight = 1.0

    init(_ text: Substring) {
      let parts = text.split(separator: ";").map { part in
        part.filter { $0 != " " && $0 != "\t" && $0 != "\"" }.lowercased()
      }
      type = parts.first ?? ""
      for part in parts.dropFirst() {
        let pair = part.split(separator: "=", maxSplits: 1)
        guard let name = pair.first else { continue }
        let value = pair.count > 1 ? String(pair[1]) : ""
        if name == "q" { weight = Double(value) ?? 1 } else { parameters[String(name)] = value }
      }
    }

    func covers(_ type: String) -> Bool {
      self.type == type || self.type == "*/*" || self.type == type.prefix { $0 != "/" } + "/*"
    }
  }

  /// The type of the body.
  enum MediaType: String {
    case json = "application/json"
    case xml = "application/xml"
    case text = "text/plain"
  }

  var type = MediaType.json
  var metadata = Metadata.minimal
  /// Whether 64-bit integers are strings, which JavaScript and its kin do not round.
  var isIEEE754Compatible = false

  /// - Parameters:
  ///   - format: the value of `$format`, which beats `Accept`.
  ///   - accept: the lines of `Accept`; none accepts everything.
  init(_ kind: Kind, format: String?, accept: [String]) throws(ODataError) {
    let offered: [MediaType] =
      switch kind {
      case .data: [.json]
      case .metadata: [.xml, .json]
      case .text: [.text]
      }
    if let format {
      try read(format: format, offered)
      return
    }
    let ranges = accept.joined(separator: ",").split(separator: ",").map { Range($0) }
      .filter { !$0.type.isEmpty }
    if ranges.isEmpty {
      type = offered[0]
      return
    }
    // Power Query asks for $metadata with JSON before XML, and reads only XML: so XML comes first wherever it is
    // acceptable at all.
    for type in offered {
      let best = ranges.filter { $0.covers(type.rawValue) && $0.weight > 0 && Self.isKnown($0) }
        .max { ($0.type.contains("*") ? 0 : $0.weight) < ($1.type.contains("*") ? 0 : $1.weight) }
      let isRefused = ranges.contains { $0.type == type.rawValue && $0.weight == 0 }
      guard let best, !isRefused else { continue }
      self.type = type
      set(best.parameters)
      return
    }
    let list = offered.map(\.rawValue).joined(separator: " and ")
    throw ODataError(.notAcceptable(offered: list))
  }

  private mutating func read(format: String, _ offered: [MediaType]) throws(ODataError) {
    let range = Range(format[...])
    let names: [String: MediaType] = ["json": .json, "xml": .xml]
    guard let type = names[range.type] ?? MediaType(rawValue: range.type), offered.contains(type),
      Self.isKnown(range)
    else {
      throw ODataError(.notAcceptable(offered: offered.map(\.rawValue).joined(separator: " and ")))
    }
    self.type = type
    set(range.parameters)
  }

  /// OData 2's `odata=verbose` is another format; everything else that is unknown is ignored.
  private static func isKnown(_ range: Range) -> Bool { range.parameters["odata"] != "verbose" }

  /// OData 4.01 leaves the prefix out.
  private mutating func set(_ parameters: [String: String]) {
    let context = parameters["odata.metadata"] ?? parameters["metadata"]
    metadata = context.flatMap(Metadata.init(rawValue:)) ?? .minimal
    isIEEE754Compatible = parameters["ieee754compatible"] == "true"
  }

  /// The `Content-Type` of a response.
  var contentType: String {
    switch type {
    case .xml: return "application/xml"
    case .text: return "text/plain; charset=utf-8"
    case .json:
      let compatible = isIEEE754Compatible ? ";IEEE754Compatible=true" : ""
      return "application/json;odata.metadata=\(metadata.rawValue)\(compatible)"
    }
  }
}
