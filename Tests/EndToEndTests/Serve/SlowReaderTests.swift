import Foundation
import Glibc
import Postgres
import TestSupport
import Testing

extension EndToEnd {
  @Suite("clients that do not read their exports")
  struct SlowReaderTests {
    private static let target = "/v1/top-items.json?n=1000&from=2000-01-01T00:00:00Z"

    /// Asks from 127.0.0.2, where the other client is not, and reads nothing at first.
    private final class Reader {
      private let descriptor: Int32

      init(_ port: UInt16) throws {
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var size: Int32 = 2048
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, 4)
        var limit = timeval(tv_sec: 30, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &limit, socklen_t(MemoryLayout<timeval>.size))
        guard Self.call(bind, descriptor, 0x7F00_0002, 0), Self.call(connect, descriptor, 0x7F00_0001, port)
        else { throw TestSupportError("cannot connect: \(String(cString: strerror(errno)))") }
        let text = "GET \(SlowReaderTests.target) HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
        send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
      }

      deinit { close(descriptor) }

      private static func call(
        _ function: (Int32, UnsafePointer<sockaddr>?, socklen_t) -> Int32,
        _ descriptor: Int32,
        _ host: UInt32,
        _ port: UInt16
      ) -> Bool {
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = host.bigEndian
        return withUnsafeBytes(of: address) {
          function(descriptor, $0.assumingMemoryBound(to: sockaddr.self).baseAddress, socklen_t($0.count))
            == 0
        }
      }

      /// All that comes until the end.
      func read() -> [UInt8] {
        var bytes: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 1 << 16)
        while case let count = recv(descriptor, &piece, piece.count, 0), count > 0 {
          bytes += piece[..<count]
        }
        return bytes
      }
    }

    /// The content of a chunked body; nil if its end is missing.
    private static func content(_ chunks: [UInt8]) -> [UInt8]? {
      var content: [UInt8] = []
      var rest = chunks[...]
      while let end = rest.firstIndex(of: UInt8(ascii: "\r")),
        let size = Int(String(decoding: rest[..<end], as: UTF8.self), radix: 16)
      {
        guard size > 0 else { return content }
        guard rest.endIndex - end >= size + 4 else { return nil }
        content += rest[(end + 2)..<(end + 2 + size)]
        rest = rest[(end + 2 + size + 2)...]
      }
      return nil
    }

    @Test(
      "hold neither threads nor sessions, and what waits for them is within its limits and gone with them"
    )
    func exports() throws {
      try Deployment.with { deployment in
        let truth = try TemporaryFile("truth")
        let simulator = try deployment.simulator(
          ["--rate", "0", "--count", "100000", "--items", "1000", "--zipf", "0.2"],
          truth: truth
        )
        #expect(try simulator.wait(within: .seconds(60)) == .exited(0), "\(simulator.story)")
        try deployment.drain()
        let folder = try ProcessRunner.temporaryFolder()
        let server = try APIServer(
          databaseURL: deployment.databaseURL,
          options: [
            "--workers", "1", "--spool-memory", "1", "--spool-disk", "64", "--spool-folder", folder,
          ]
        )
        func metric(_ name: String) throws -> Double {
          let page = try server.client.get("/metrics").text
          let line = page.split(separator: "\n").first { $0.hasPrefix("topitems_http_\(name) ") }
          return try #require(line.flatMap { Double($0.split(separator: " ")[1]) }, "\(name)")
        }
        let whole = try server.client.get(Self.target)
        let content = try #require(Self.content(whole.body))
        #expect(whole.status == 200 && content.count > 2_000_000, "\(content.count) bytes")

        var readers = try (0..<4).map { _ in try Reader(server.client.port) }
        // This would take half a minute if one of them were waited for.
        for _ in 0..<3 {
          let answer = try server.client.get(Self.target, within: .seconds(20))
          #expect(answer.status == 200 && Self.content(answer.body) == content)
        }
        #expect(try metric("open_streams") > 0)
        try waitUntil("all exports are made", within: .seconds(20)) {
          try metric("spooled_answers") == 4 && metric("requests_waiting") == 0
            && metric("workers_busy") == 0
        }
        #expect(try metric("answers_cut_total") == 0)
        #expect(try metric("spool_bytes{place=\"disk\"}") <= 64 * 1_048_576)
        #expect(try metric("spool_bytes{place=\"memory\"}") <= 1_048_576)
        let sessions = try deployment.connect().execute(
          """
          SELECT count(*) FROM pg_stat_activity
          WHERE datname = current_database() AND application_name = 'topitems serve' AND state <> 'idle'
          """
        )
        #expect(try sessions.int64(0, 0) == 0)
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder) == [], "the file has no name")

        let late = readers.removeFirst().read()
        let head = try #require(late.firstRange(of: Array("\r\n\r\n".utf8)))
        #expect(late.starts(with: Array("HTTP/1.1 200 ".utf8)))
        #expect(Self.content(Array(late[head.upperBound...])) == content)
        readers.removeAll()
        try waitUntil("nothing is kept") {
          try metric("spooled_answers") == 0 && metric("spool_bytes{place=\"memory\"}") == 0
            && metric("spool_bytes{place=\"disk\"}") == 0
        }
        server.process.signal(SIGTERM)
        #expect(try server.process.wait(within: .seconds(20)) == .exited(0))
      }
    }
  }
}
