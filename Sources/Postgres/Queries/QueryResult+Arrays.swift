/// Reading one-dimensional arrays without NULL elements.
extension QueryResult {
  /// A `bigint[]` or `integer[]`.
  public func int64Array(_ row: Int, _ column: Int) throws(PostgresError) -> [Int64] {
    let cell = try required(cell(row, column), column)
    let values = elements(cell) { element, type -> Int64? in
      switch type {
      case TypeOID.int8: element.bigEndian(0, as: Int64.self)
      case TypeOID.int4: element.bigEndian(0, as: Int32.self).map(Int64.init)
      default: nil
      }
    }
    guard let values else { throw unreadable(row, column, as: "an array of integers") }
    return values
  }

  /// A `text[]`, or an array of another type whose binary form is its text.
  public func stringArray(_ row: Int, _ column: Int) throws(PostgresError) -> [String] {
    let cell = try required(cell(row, column), column)
    let values = elements(cell) { element, type -> String? in
      TypeOID.notText.contains(type) ? nil : String(validating: element, as: UTF8.self)
    }
    guard let values else { throw unreadable(row, column, as: "an array of text") }
    return values
  }

  /// nil where the array has more dimensions, a NULL, or an element that cannot be read.
  private func elements<T>(
    _ cell: UnsafeRawBufferPointer,
    _ read: (UnsafeRawBufferPointer, UInt32) -> T?
  ) -> [T]? {
    guard let dimensions = cell.bigEndian(0, as: Int32.self), let type = cell.bigEndian(8, as: UInt32.self)
    else { return nil }
    guard dimensions > 0 else { return [] }
    guard dimensions == 1, let count = cell.bigEndian(12, as: Int32.self), count >= 0 else { return nil }
    var values: [T] = []
    // Each element takes four bytes at least, so the message itself bounds what is reserved.
    values.reserveCapacity(min(Int(count), cell.count / 4))
    var offset = 20
    for _ in 0..<count {
      guard let length = cell.bigEndian(offset, as: Int32.self), length >= 0,
        cell.count - offset - 4 >= Int(length)
      else { return nil }
      let start = offset + 4
      let element = UnsafeRawBufferPointer(rebasing: cell[start..<start + Int(length)])
      guard let value = read(element, type) else { return nil }
      values.append(value)
      offset = start + Int(length)
    }
    return values
  }
}
