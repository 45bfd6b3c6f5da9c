/// How the bytes that a client sends reach the server.
enum Cutting: CustomStringConvertible {
  case whole
  case single
  case at(Int)

  var description: String {
    switch self {
    case .whole: "whole"
    case .single: "byte by byte"
    case .at(let place): "split at \(place)"
    }
  }

  /// Sends the bytes, each piece when the server has read the one before: the kernel would join what is sent in a row.
  func send(_ bytes: [UInt8], to client: TestClient, of server: TestServer) throws {
    var taken = server.receivedBytes
    for piece in pieces(bytes) where !piece.isEmpty {
      try client.send(Array(piece))
      taken += piece.count
      server.waitUntilTaken(taken, from: client)
    }
  }

  private func pieces(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
    switch self {
    case .whole: [bytes[...]]
    case .single: bytes.indices.map { bytes[$0...$0] }
    case .at(let place): [bytes.prefix(place), bytes.dropFirst(place)]
    }
  }

  /// All ways that make sense for so many bytes; at every byte only where asked.
  static func all(_ count: Int, everywhere: Bool) -> [Cutting] {
    let places = everywhere && count < 400 ? (1..<count).map(Cutting.at) : []
    return [.whole] + (count < 400 ? [.single] : []) + places
  }
}
