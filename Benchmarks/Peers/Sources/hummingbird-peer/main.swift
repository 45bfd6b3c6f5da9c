import Foundation
import Hummingbird
import HummingbirdTLS
import Logging

// hummingbird-peer FILE PORT [CERTIFICATE KEY]: the bytes of a file from memory, at every path.
let arguments = CommandLine.arguments
guard arguments.count == 3 || arguments.count == 5, let port = Int(arguments[2]) else {
  fatalError("usage: hummingbird-peer FILE PORT [CERTIFICATE KEY]")
}
let body = ByteBuffer(bytes: try Data(contentsOf: URL(fileURLWithPath: arguments[1])))
let router = Router()
router.get("**") { _, _ in
  Response(status: .ok, headers: [.contentType: "application/json"], body: ResponseBody(byteBuffer: body))
}
var logger = Logger(label: "hummingbird-peer")
logger.logLevel = .critical
let address = ApplicationConfiguration(address: .hostname("127.0.0.1", port: port))
if arguments.count == 5 {
  let tls = TLSConfiguration.makeServerConfiguration(
    certificateChain: try NIOSSLCertificate.fromPEMFile(arguments[3]).map { .certificate($0) },
    privateKey: .privateKey(try NIOSSLPrivateKey(file: arguments[4], format: .pem))
  )
  try await Application(
    router: router,
    server: .tls(.http1(), tlsConfiguration: tls),
    configuration: address,
    logger: logger
  ).runService()
} else {
  try await Application(router: router, configuration: address, logger: logger).runService()
}
