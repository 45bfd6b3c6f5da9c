import Glibc
import Threading
import Synchronization
import Testing

@testable import Sockets

/// Records its events, and stops the loop after enough of them.
private final class Recorder: EventSource {
  var reported: [String] = []
  var onReady: () -> Void = {}
  var onExpired: () -> Void = {}

  func ready(_ readiness: Readiness) {
    reported.append("ready")
    onReady()
  }

  func expired() {
    reported.append("expired")
    onExpired()
  }
}

@Suite("the event loop")
struct EventLoopTests {
  @Test("takes messages of many threads, each one once")
  func inbox() throws {
    let loop = try EventLoop()
    let inbox = try Inbox<Int>()
    let source = Recorder()
    var taken: [Int] = []
    source.onReady = {
      taken += inbox.take()
      if taken.count == 4000 { loop.stop() }
    }
    _ = try loop.register(source, descriptor: inbox.descriptor, interest: .readable)
    for thread in 0..<4 {
      try startThread(name: "poster") {
        for number in 0..<1000 { inbox.post(thread * 1000 + number) }
      }
    }
    try loop.run()
    #expect(taken.sorted() == Array(0..<4000))
    for thread in 0..<4 {
      let mine = taken.filter { $0 / 1000 == thread }
      #expect(mine == mine.sorted(), "the messages of one thread keep their order")
    }
  }

  @Test("a deadline that moved on expires once, at its last time; one taken back never does")
  func deadlines() throws {
    let loop = try EventLoop()
    let first = Recorder()
    let second = Recorder()
    let inboxes = [try Inbox<Int>(), try Inbox<Int>()]
    let start = Instant.now()
    let registration = try loop.register(first, descriptor: inboxes[0].descriptor, interest: .readable)
    let other = try loop.register(second, descriptor: inboxes[1].descriptor, interest: .readable)
    first.onExpired = { loop.stop() }
    loop.setDeadline(start + .milliseconds(10), of: registration)
    loop.setDeadline(start + .milliseconds(60), of: registration)
    loop.setDeadline(start + .milliseconds(20), of: other)
    loop.setDeadline(.never, of: other)
    try loop.run()
    #expect(first.reported == ["expired"])
    #expect(second.reported.isEmpty)
    #expect(Instant.now() >= start + .milliseconds(60))
  }

  @Test("an earlier deadline takes the place of a later one")
  func earlierDeadline() throws {
    let loop = try EventLoop()
    let source = Recorder()
    let inbox = try Inbox<Int>()
    let registration = try loop.register(source, descriptor: inbox.descriptor, interest: .readable)
    source.onExpired = { loop.stop() }
    loop.setDeadline(loop.now + .seconds(60), of: registration)
    loop.setDeadline(loop.now + .milliseconds(10), of: registration)
    try loop.run()
    #expect(source.reported == ["expired"])
  }

  @Test("an event for a closed descriptor does not reach the next owner of its number")
  func reuse() throws {
    let loop = try EventLoop()
    let old = Recorder()
    let new = Recorder()
    let trigger = try Inbox<Int>()
    var pair = [Int32](repeating: 0, count: 2)
    try #require(socketpair(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0, &pair) == 0)
    let registration = try loop.register(old, descriptor: pair[0], interest: .readable)
    // Both are ready in the same turn; whichever comes first replaces the other's descriptor.
    let source = Recorder()
    var replaced = false
    var replacement: Registration?
    source.onReady = {
      _ = trigger.take()
      if !replaced, old.reported.isEmpty {
        replaced = true
        loop.deregister(registration)
        replacement = try? loop.register(new, descriptor: pair[0], interest: [])
      }
      loop.stop()
    }
    _ = try loop.register(source, descriptor: trigger.descriptor, interest: .readable)
    trigger.post(1)
    send(pair[1], "x", 1, 0)
    try loop.run()
    #expect(new.reported.isEmpty)
    #expect(loop.source(of: registration) == nil || !replaced)
    if let replacement { loop.deregister(replacement) } else { loop.deregister(registration) }
    close(pair[0])
    close(pair[1])
  }
}
