import JSONText

/// Rows as JSON objects.
struct JSONRecords: RecordWriter {
  /// What stands around and between the objects.
  enum Layout {
    /// Brackets and commas.
    case array
    /// Each object ends with a line feed.
    case lines
    /// Commas between them: the inside of an array that is cut into pages.
    case members
  }

  private var json: JSONWriter
  private let layout: Layout
  private let integers: IntegerStyle
  private var isFirst = true

  init(_ layout: Layout, integers: IntegerStyle, capacity: Int = 4096) {
    self.layout = layout
    self.integers = integers
    json = JSONWriter(capacity: capacity)
    if layout == .array { json.raw("[") }
  }

  var count: Int { json.bytes.count }

  mutating func beginRecord() {
    if !isFirst, layout != .lines { json.raw(",") }
    isFirst = false
    json.raw("{")
  }

  mutating func endRecord() {
    json.raw("}")
    if layout == .lines { json.raw("\n") }
  }

  mutating func identifier(_ name: StaticString, _ value: Int64?) {
    json.name(name)
    switch (value, integers) {
    case (nil, _): json.null()
    case (let value?, .string): json.quotedInteger(value)
    case (let value?, .number): json.integer(value)
    }
  }

  mutating func integer(_ name: StaticString, _ value: Int64?) {
    json.name(name)
    if let value { json.integer(value) } else { json.null() }
  }

  mutating func millionths(_ name: StaticString, _ value: Int64?) {
    json.name(name)
    guard let value else { return json.null() }
    var number: [UInt8] = []
    appendMillionths(value, to: &number)
    json.value(number)
  }

  mutating func text(_ name: StaticString, _ value: String?) {
    json.name(name)
    if let value { json.string(value) } else { json.null() }
  }

  mutating func time(_ name: StaticString, _ value: DisplayTime) {
    json.name(name)
    if let bytes = value.bytes { json.quoted(bytes) } else { json.null() }
  }

  mutating func take() -> [UInt8] { json.take() }

  mutating func finish() -> [UInt8] {
    if layout == .array { json.raw("]") }
    return json.take()
  }
}
