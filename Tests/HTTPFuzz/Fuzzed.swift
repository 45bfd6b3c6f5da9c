/// Input for one kind of parser, and the laws that its response keeps.
protocol Fuzzed {
  var bytes: [UInt8] { get }
  init(_ corpus: Corpus, _ random: inout SeededRandom)
  /// The law that is broken, if one is.
  func brokenLaw(_ random: inout SeededRandom) -> BrokenLaw?
}

/// What must hold and does not, and for which input.
struct BrokenLaw {
  let law: String
  let input: [UInt8]
}

/// SplitMix64.
struct SeededRandom: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var value = state
    value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
    value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
    return value ^ (value >> 31)
  }

  mutating func number(_ range: ClosedRange<Int>) -> Int { Int.random(in: range, using: &self) }

  mutating func bytes(_ count: Int) -> [UInt8] {
    (0..<count).map { _ in UInt8.random(in: 0...255, using: &self) }
  }

  /// A small change, or a few: bytes that mean something get further than others.
  mutating func mutate(_ bytes: inout [UInt8]) {
    let telling = Array("\r\n\r\n :;,%/.?#\t\0\u{7F}0159aFxz-+*\\\"".utf8) + [0x80, 0xC0, 0xFF]
    for _ in 0..<number(0...6) where !bytes.isEmpty {
      let index = number(0...bytes.count - 1)
      let byte = telling[number(0...telling.count - 1)]
      switch number(0...5) {
      case 0: bytes[index] = byte
      case 1: bytes.insert(byte, at: index)
      case 2: bytes.remove(at: index)
      case 3: bytes[index] = UInt8.random(in: 0...255, using: &self)
      case 4: bytes.removeSubrange(index..<min(bytes.count, index + number(1...20)))
      default:
        let end = min(bytes.count, index + number(1...40))
        bytes.insert(contentsOf: bytes[index..<end], at: number(0...bytes.count))
      }
    }
  }

  /// Lengths that cut so many bytes into pieces.
  mutating func cuts(_ count: Int) -> [Int] {
    var cuts: [Int] = []
    let longest = number(1...64)
    var left = count
    while left > 0 {
      cuts.append(min(left, number(1...longest)))
      left -= cuts[cuts.count - 1]
    }
    return cuts
  }
}
