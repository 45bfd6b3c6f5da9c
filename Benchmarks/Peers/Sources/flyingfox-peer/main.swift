import FlyingFox
import Foundation

// flyingfox-peer FILE PORT: the bytes of a file from memory, at every path.
let arguments = CommandLine.arguments
guard arguments.count == 3, let port = UInt16(arguments[2]) else {
  fatalError("usage: flyingfox-peer FILE PORT")
}
let body = try Data(contentsOf: URL(fileURLWithPath: arguments[1]))
let server = HTTPServer(address: try .inet(ip4: "127.0.0.1", port: port), logger: .disabled)
await server.appendRoute("*") { _ in
  HTTPResponse(statusCode: .ok, headers: [.contentType: "application/json"], body: body)
}
try await server.run()
