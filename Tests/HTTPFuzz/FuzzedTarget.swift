import HTTP

/// A request target: what is accepted has one reading.
struct FuzzedTarget: Fuzzed {
  let bytes: [UInt8]

  init(_ corpus: Corpus, _ random: inout SeededRandom) {
    var bytes = corpus.targets[random.number(0...corpus.targets.count - 1)]
    random.mutate(&bytes)
    self.bytes = bytes
  }

  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw? {
    guard let text = String(validating: bytes, as: UTF8.self), let target = try? Target(text) else {
      return nil
    }
    let path = target.decodedPath
    guard path.utf8.first == UInt8(ascii: "/") else { return broken("a path begins with /") }
    let segments = path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).dropFirst()
    guard !segments.dropLast().contains(where: \.isEmpty) else {
      return broken("no segment but the last is empty")
    }
    guard !segments.contains(where: { $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }) else {
      return broken("there is no dot segment")
    }
    guard !path.utf8.contains(where: { $0 < 0x20 || $0 == 0x7F || $0 == UInt8(ascii: "\\") }) else {
      return broken("there are no control characters or backslashes")
    }
    guard let again = try? Target(Self.encoded(path)), again.decodedPath == path else {
      return broken("a decoded path, encoded again, is the same path")
    }
    guard let items = try? target.queryItems() else { return nil }
    let query = items.map { "\(Self.encoded($0.name))=\(Self.encoded($0.value))" }.joined(separator: "&")
    guard let others = try? Target("/?\(query)").queryItems(),
      others.map(\.name) == items.map(\.name), others.map(\.value) == items.map(\.value)
    else { return broken("decoded parameters, encoded again, are the same parameters") }
    return nil
  }

  private func broken(_ law: String) -> BrokenLaw { BrokenLaw(law: law, input: bytes) }

  private static func encoded(_ text: String) -> String {
    text.utf8.map { byte -> String in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "/"):
        String(UnicodeScalar(byte))
      default: "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16)
      }
    }.joined()
  }
}
