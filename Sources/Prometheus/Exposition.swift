/// Metrics in Prometheus's text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/).
public struct Exposition: Sendable {
  /// What the format is called in `Content-Type`.
  public static let contentType = "text/plain; version=0.0.4; charset=utf-8"

  /// The text written so far.
  public private(set) var text = ""

  /// An empty page.
  public init() {}

  /// A number that only grows. `name` ends with `_total`.
  public mutating func counter(_ name: String, _ help: String, _ samples: [Sample]) {
    family(name, help, type: "counter", samples)
  }

  /// A number that goes up and down.
  public mutating func gauge(_ name: String, _ help: String, _ samples: [Sample]) {
    family(name, help, type: "gauge", samples)
  }

  /// How values are distributed, by the upper bounds of a histogram's buckets.
  public mutating func histogram(_ name: String, _ help: String, _ series: [(labels: Labels, Histogram)]) {
    header(name, help, type: "histogram")
    for (labels, histogram) in series {
      var sum = 0
      for (bound, count) in zip(histogram.bounds, histogram.counts) {
        sum += count
        line("\(name)_bucket", labels + [("le", Self.number(bound))], Double(sum))
      }
      line("\(name)_bucket", labels + [("le", "+Inf")], Double(histogram.count))
      line("\(name)_sum", labels, histogram.sum)
      line("\(name)_count", labels, Double(histogram.count))
    }
  }

  /// Names and values, in the order in which they are shown.
  public typealias Labels = [(name: String, value: String)]

  /// One value of a family.
  public struct Sample: Sendable {
    var labels: Labels
    var value: Double

    /// The family's only value.
    public init(_ value: Double) {
      self.init([], value)
    }

    /// A value; its labels distinguish it from its siblings.
    public init(_ labels: Labels, _ value: Double) {
      self.labels = labels
      self.value = value
    }
  }

  private mutating func family(_ name: String, _ help: String, type: String, _ samples: [Sample]) {
    header(name, help, type: type)
    for sample in samples { line(name, sample.labels, sample.value) }
  }

  private mutating func header(_ name: String, _ help: String, type: String) {
    text += "# HELP \(name) \(Self.escape(help, quote: false))\n# TYPE \(name) \(type)\n"
  }

  private mutating func line(_ name: String, _ labels: Labels, _ value: Double) {
    let list = labels.map { "\($0.name)=\"\(Self.escape($0.value, quote: true))\"" }.joined(separator: ",")
    text += "\(name)\(labels.isEmpty ? "" : "{\(list)}") \(Self.number(value))\n"
  }

  private static func number(_ value: Double) -> String {
    if value.isNaN { return "NaN" }
    if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
    return Int64(exactly: value).map(String.init) ?? "\(value)"
  }

  /// A topic's name may be anything that Kafka allows; a line break or quote in it must not end the line.
  private static func escape(_ text: String, quote: Bool) -> String {
    var escaped = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\\": escaped += "\\\\"
      case "\n": escaped += "\\n"
      case "\"" where quote: escaped += "\\\""
      default: escaped.unicodeScalars.append(scalar)
      }
    }
    return escaped
  }
}

/// Counts of values by size.
public struct Histogram: Sendable {
  /// The buckets' upper bounds, growing.
  public let bounds: [Double]
  private(set) var counts: [Int]
  private(set) var count = 0
  private(set) var sum = 0.0

  /// Without values yet.
  public init(bounds: [Double]) {
    self.bounds = bounds
    counts = [Int](repeating: 0, count: bounds.count)
  }

  /// Adds the counts of a histogram with the same bounds.
  public mutating func merge(_ other: Histogram) {
    precondition(bounds == other.bounds, "the bounds are the same")
    for bucket in counts.indices { counts[bucket] += other.counts[bucket] }
    count += other.count
    sum += other.sum
  }

  /// Counts a value.
  public mutating func record(_ value: Double) {
    count += 1
    sum += value
    if let bucket = bounds.firstIndex(where: { value <= $0 }) { counts[bucket] += 1 }
  }
}
