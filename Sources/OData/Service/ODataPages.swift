import APICore

/// The entities of a result, written and gathered into pages.
struct ODataPages {
  /// The most entities of a page.
  let size: Int
  /// With commas between the entities.
  private(set) var pages: [[UInt8]] = []
  /// Of all pages, with what an array takes besides its elements.
  private(set) var bytes = 0
  private var entities = 0

  init(size: Int) {
    self.size = size
  }

  mutating func append(_ entity: [UInt8]) {
    if entities % size == 0 {
      pages.append(entity)
      bytes += 64
    } else {
      pages[pages.count - 1].append(UInt8(ascii: ","))
      pages[pages.count - 1] += entity
    }
    entities += 1
    bytes += entity.count + 1
  }
}

/// A whole result, to be given out in pages.
struct ODataResult: PagedResult {
  /// What stands before the entities of each page.
  var head: [UInt8]
  /// The entities of each page.
  var pages: [[UInt8]]
  var contentType: String

  var memoryBytes: Int {
    pages.reduce(head.memoryBytes + pages.memoryBytes + contentType.memoryBytes) { $0 + $1.memoryBytes }
  }

  func trimmed() -> ODataResult {
    ODataResult(head: head.trimmed(), pages: pages.map { $0.trimmed() }, contentType: contentType)
  }
}
