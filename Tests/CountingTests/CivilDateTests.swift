@testable import Counting
import Testing

@Suite("The calendar")
struct CivilDateTests {
  @Test("each day of 800 years around the year 0 and of 400 up to now follows the one before")
  func days() {
    for (year, first) in [(Int64(-400), Int64(-865_625)), (1_970 - 400, -146_097)] {
      var expected = CivilDate(year: year, month: 1, day: 1)
      #expect(expected.daysSinceEpoch == first)
      let length: Int64 = year < 0 ? 2 * 146_097 : 146_097
      var differences = 0
      for day in first..<first + length {
        if CivilDate(daysSinceEpoch: day) != expected || expected.daysSinceEpoch != day { differences += 1 }
        expected.day += 1
        if expected.day > CivilDate.length(ofMonth: expected.month, in: expected.year) {
          expected.day = 1
          expected.month += 1
        }
        if expected.month > 12 {
          expected.month = 1
          expected.year += 1
        }
      }
      #expect(differences == 0)
    }
  }

  @Test(
    "a leap year is a multiple of 4, of a century only if of 400",
    arguments: [
      (2024, true), (2026, false), (1900, false), (2000, true), (0, true), (-4, true), (-100, false),
    ]
  )
  func leapYears(year: Int64, isLeap: Bool) {
    #expect(CivilDate.isLeap(year) == isLeap)
  }

  @Test(
    "division rounds down",
    arguments: [
      (7, 2, 3), (-7, 2, -4), (-8, 2, -4), (0, 5, 0), (.min, 1, .min), (.min, 3, -3_074_457_345_618_258_603),
    ]
      as [(Int64, Int64, Int64)]
  )
  func division(dividend: Int64, divisor: Int64, quotient: Int64) {
    #expect(floorDivide(dividend, by: divisor) == quotient)
  }
}
