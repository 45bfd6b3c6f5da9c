/// The 64-bit integer that a binary `numeric` stands for; nil for fractions, NaN, infinities and what does not
/// fit.
///
/// Source: `numeric_send` in `src/backend/utils/adt/numeric.c`: digit count, weight of the first digit, sign,
/// display scale (16 bits each), then digits of base 10,000.
func wholeNumber(numeric cell: UnsafeRawBufferPointer) -> Int64? {
  guard let digits = cell.bigEndian(0, as: Int16.self), let weight = cell.bigEndian(2, as: Int16.self),
    let sign = cell.bigEndian(4, as: UInt16.self), sign == 0 || sign == 0x4000
  else { return nil }
  guard digits > 0 else { return 0 }
  // 10,000^5 is beyond 64 bits already.
  guard weight >= 0, weight <= 4 else { return nil }
  var value: Int64 = 0
  for index in 0...Int(max(weight, digits - 1)) {
    var digit: Int64 = 0
    if index < Int(digits) {
      guard let read = cell.bigEndian(8 + 2 * index, as: Int16.self) else { return nil }
      digit = Int64(read)
    }
    guard index <= Int(weight) else {
      if digit != 0 { return nil }
      continue
    }
    // Downwards, because Int64.min has no positive counterpart.
    let (scaled, tooLarge) = value.multipliedReportingOverflow(by: 10_000)
    let (next, overflow) = scaled.subtractingReportingOverflow(digit)
    guard !tooLarge, !overflow else { return nil }
    value = next
  }
  guard sign == 0 else { return value }
  return value == .min ? nil : -value
}
