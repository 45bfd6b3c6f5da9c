import Foundation
import Ingestion
import Postgres
import TestSupport
import Testing

extension Faults {
  /// Case 3: a client that loses the connection during COMMIT cannot know whether it was done.
  @Suite("Cut commits") struct CommitTests {
    @Test(
      "a connection that is cut during COMMIT neither loses nor repeats, whether it was done or not",
      arguments: [FaultProxy.Reaction.cutBefore, .cutAfter]
    )
    func cut(reaction: FaultProxy.Reaction) async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          let watch = InvariantWatch(url: fixture.database)
          let worker = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
          try fixture.send(500)
          try fixture.waitUntilCounted(worker)
          for round in 1...5 {
            proxy.react(to: FaultProxy.commitMessage, .toServer, reaction)
            try fixture.send(500)
            try worker.wait("commit \(round) is cut") { _ in proxy.fired >= round }
          }
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          // On a busy machine the first one cut may be the background work's.
          let unknown = worker.reported.count {
            switch $0 {
            case .retrying(let error, _), .maintenanceFailed(let error): error.kind == .commitUnknown
            default: false
            }
          }
          findings.expect(unknown == 5, "\(unknown) outcomes were unknown\(worker.story)")
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }

    @Test("connections that are cut after any number of bytes lose and repeat nothing")
    func anywhere() async throws {
      try await onOwnThread { findings in
        try FaultFixture.with { fixture in
          let proxy = try FaultProxy(to: fixture.database)
          defer { proxy.close() }
          let watch = InvariantWatch(url: fixture.database)
          let worker = FaultWorker(fixture.options(database: proxy.url(fixture.database)))
          try fixture.send(200)
          try fixture.waitUntilCounted(worker)
          var random = SeededGenerator(seed: 3)
          for round in 1...25 {
            // A session's beginning takes about 1,000 bytes, a batch of 200 events about 20,000.
            proxy.cut(afterBytes: Int.random(in: 1...30_000, using: &random))
            try fixture.send(200)
            // What is left of the count goes on with the next round's bytes.
            _ = holds(within: .milliseconds(300)) { proxy.fired >= round }
          }
          try fixture.waitUntilCounted(worker)
          try worker.stop()
          findings.expect(proxy.fired >= 5, "\(proxy.fired) cuts")
          findings.expectNone(try watch.stop())
          findings.expectNone(try fixture.violations(), worker.story)
        }
      }
    }
  }
}
