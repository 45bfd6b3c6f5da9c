// A small server on HTTPServer: swift run hello-server [PORT], then curl http://127.0.0.1:PORT/hello?name=you
import Foundation
import HTTP
import HTTPServer
import Sockets

let server = Server(
  address: .loopback(port: CommandLine.arguments.dropFirst().first.flatMap(UInt16.init) ?? 0),
  contentLimit: { $0.target.decodedPath == "/shout" ? 64 * 1024 : 0 }
) {
  request in
  switch request.target.decodedPath {
  case "/hello":
    let name = (try? request.target.queryItems())?.first { $0.name == "name" }?.value
    return .ready(Response(status: .ok, text: "Hello, \(name ?? "world")!\n"))
  case "/shout":
    // Content comes whole, and only where it is wanted.
    return .ready(Response(status: .ok, text: String(decoding: request.body, as: UTF8.self).uppercased()))
  case "/slow":
    // May wait, for a database for example: it runs on a worker thread.
    return .blocking {
      Thread.sleep(forTimeInterval: 0.1)
      return Response(status: .ok, text: "at last\n")
    }
  case "/numbers":
    // As long as you like: the worker waits when the client reads slowly.
    return .streaming { (stream) throws(StreamBroken) in
      try stream.begin(Response(status: .ok, fields: ["Content-Type": "text/plain"]))
      for number in 0..<1_000_000 { try stream.write(Array("\(number)\n".utf8)) }
    }
  default: return .ready(Response(status: .notFound, text: "try /hello, /shout, /slow or /numbers\n"))
  }
}

// Waited for by this thread alone: a signal's handler may not do what `stop` does. Blocked first, as threads inherit
// it.
var signals = sigset_t()
sigemptyset(&signals)
for number in [SIGINT, SIGTERM] { sigaddset(&signals, number) }
pthread_sigmask(SIG_BLOCK, &signals, nil)

try server.start()
print("http://\(server.boundAddress)")
fflush(nil)
var received: Int32 = 0
sigwait(&signals, &received)
server.stop()
server.wait()
