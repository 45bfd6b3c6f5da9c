import Testing
import Threading

@Suite("the waits between tries")
struct BackoffTests {
  @Test("they double from 50 ms to 5 s, each between half and one and a half of it")
  func bounds() {
    for _ in 0..<50 {
      var backoff = Backoff()
      var base: Int64 = 50
      for _ in 0..<20 {
        let wait = backoff.next()
        #expect((base / 2...base * 3 / 2).contains(wait))
        base = min(base * 2, 5000)
      }
    }
  }

  @Test("two workers that fail together do not come back together")
  func jitter() {
    var first = Backoff()
    var second = Backoff()
    let a = (0..<20).map { _ in first.next() }
    let b = (0..<20).map { _ in second.next() }
    #expect(a != b)
  }
}
