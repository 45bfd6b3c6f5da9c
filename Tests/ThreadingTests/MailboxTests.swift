import Threading
import TestSupport
import Testing

@Suite("a mailbox between two threads")
struct MailboxTests {
  @Test("what was put is taken once")
  func putAndTake() {
    let box = Mailbox<Int>()
    box.put(7)
    #expect(box.take(waiting: 0) == 7)
    #expect(box.take(waiting: 0) == nil)
  }

  @Test("a wait ends at its deadline, not before", arguments: [0, 1, 40, 1100] as [Int64])
  func deadline(milliseconds: Int64) {
    let box = Mailbox<Int>()
    let clock = ContinuousClock()
    let waited = clock.measure { #expect(box.take(waiting: milliseconds) == nil) }
    #expect(waited >= .milliseconds(milliseconds))
    #expect(waited < .milliseconds(milliseconds + 5000))
  }

  @Test("a value that comes during the wait ends it")
  func wakesUp() throws {
    let box = Mailbox<Int>()
    let taker = Background { box.take(waiting: 20_000) }
    box.put(3)
    #expect(try taker.value(within: 10) == 3)
  }

  @Test("closing ends every wait, also one without a deadline")
  func closing() throws {
    let box = Mailbox<Int>()
    let takers = (0..<3).map { _ in Background { box.take(waiting: nil) } }
    let sleeper = Background { box.sleep(milliseconds: 60_000) }
    box.close()
    for taker in takers { #expect(try taker.value(within: 10) == nil) }
    _ = try sleeper.value(within: 10)
    #expect(box.hasClosed)
  }

  @Test("what was put before the closing can still be taken")
  func lastValue() {
    let box = Mailbox<Int>()
    box.put(9)
    box.close()
    #expect(box.take(waiting: nil) == 9)
    #expect(box.take(waiting: nil) == nil)
  }

  @Test("10,000 values pass between two threads in order")
  func handOver() throws {
    let there = Mailbox<Int>()
    let back = Mailbox<Int>()
    let echo = Background {
      while let value = there.take(waiting: nil) { back.put(value * 2) }
      return true
    }
    for value in 0..<10_000 {
      there.put(value)
      #expect(back.take(waiting: 10_000) == value * 2)
    }
    there.close()
    #expect(try echo.value(within: 10))
  }
}
