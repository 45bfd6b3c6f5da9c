import JSONText

/// The names that cameras report: plain words, mixed with what real life adds to them (accents, other
/// scripts, emoji, quotes, mark-up, formulas) and, in a catalogue of 50 or more, one name of 5,000 scalars,
/// the longest there may be.
///
/// Names are distinct as UTF-8 bytes, not as Swift strings: "vélo" is there both composed and decomposed.
struct ItemCatalogue: Sendable {
  /// The longest name, in Unicode scalars.
  static let longestName = 5_000

  let names: [String]
  /// Each name as a JSON string in UTF-8, quotes included.
  let json: [[UInt8]]
  /// The same in ASCII, the rest escaped.
  let asciiJSON: [[UInt8]]
  /// Each name's place when all are sorted by their bytes.
  let byteOrder: [Int32]

  init(items: Int) {
    var names: [String] = []
    names.reserveCapacity(items)
    var plain = PlainNames()
    var special = Self.specialNames.makeIterator()
    for index in 0..<items {
      if index == items - 1, items >= 50 {
        names.append(Self.longName)
      } else if index % 10 == 7, let name = special.next() {
        names.append(name)
      } else {
        names.append(plain.next())
      }
    }
    self.names = names
    json = names.map { name in
      var json = JSONWriter(capacity: name.utf8.count + 2)
      json.string(name)
      return json.bytes
    }
    asciiJSON = names.map { Array("\"\(JSONString.ascii($0))\"".utf8) }
    let sorted = names.indices.sorted { names[$0].utf8.lexicographicallyPrecedes(names[$1].utf8) }
    var byteOrder = [Int32](repeating: 0, count: names.count)
    for (place, index) in sorted.enumerated() { byteOrder[index] = Int32(place) }
    self.byteOrder = byteOrder
  }

  /// Nouns first, then nouns with a quality, then numbered ones: as many different names as asked for.
  private struct PlainNames {
    private var produced = 0

    mutating func next() -> String {
      defer { produced += 1 }
      let nouns = ItemCatalogue.nouns
      let qualities = ItemCatalogue.qualities
      let noun = nouns[produced % nouns.count]
      let round = produced / nouns.count
      if round == 0 { return noun }
      let quality = qualities[(round - 1) % qualities.count]
      let number = (round - 1) / qualities.count
      return number == 0 ? "\(quality) \(noun)" : "\(quality) \(noun) \(number + 1)"
    }
  }

  private static let longName: String = {
    let piece = "pallet with an unusually long label · Palette mit übergroßem Etikett · 📦 "
    var scalars = String.UnicodeScalarView()
    while scalars.count + piece.unicodeScalars.count <= longestName {
      scalars.append(contentsOf: piece.unicodeScalars)
    }
    while scalars.count < longestName { scalars.append("…") }
    return String(scalars)
  }()

  private static let specialNames = [
    "vélo", "ve\u{301}lo", "フォークリフト", "叉车", "지게차", "شاحنة", "עגלה", "погрузчик", "ανυψωτικό", "🚚",
    "👩🏽‍🏭", "🇨🇭 truck", "Straßenbahn", "smørrebrødsvogn", "İstif arabası", "รถยก", "\"quoted\" crate",
    "back\\slash box",
    "<b>bold bag</b>", "=SUM(A1:A9)", "'); DROP TABLE item; --", "tab\there", "two\nlines",
    "comma, semicolon; pipe |",
    " padded ", "ﬁre hose", "FORKLIFT", "forklift ", "رافعة 12 طن", "𝔭𝔞𝔩𝔩𝔢𝔱", "e\u{200B}bike", "null",
    "100 %", "a/b?c=d&e#f",
  ]

  private static let qualities = [
    "red", "blue", "yellow", "green", "white", "black", "grey", "orange", "small", "large", "tall", "heavy",
    "loaded", "empty", "electric", "folding", "wooden", "steel", "plastic", "rented", "damaged", "reflective",
    "parked", "moving",
  ]

  private static let nouns = [
    "forklift", "pallet", "person", "bicycle", "car", "truck", "van", "bus", "motorcycle", "scooter", "box",
    "crate", "cart", "trolley", "hard hat", "safety vest", "ladder", "barrel", "container", "trailer",
    "pallet jack", "conveyor", "parcel", "suitcase", "backpack", "handbag", "umbrella", "dog", "cat", "bird",
    "horse", "stroller", "wheelchair", "skateboard", "tram", "train", "taxi", "ambulance", "fire engine",
    "police car", "excavator", "crane", "bulldozer", "concrete mixer", "tractor", "dump truck", "cone",
    "barrier", "fence panel", "traffic light", "stop sign", "fire extinguisher", "shopping basket",
    "shopping trolley", "bottle", "can", "cup", "laptop", "tablet", "phone", "chair", "bench", "table",
    "monitor", "printer", "server rack", "cable drum", "pipe", "beam", "plank", "brick stack", "sandbag",
    "toolbox", "drill", "welder", "generator", "compressor", "gas cylinder", "drum", "jerrycan", "bucket",
    "mop", "broom", "sweeper", "scrubber", "dumpster", "waste bin", "recycling bin", "mail bag", "envelope",
    "roll cage", "tote", "shelf", "rack", "reach truck", "order picker", "tugger", "robot", "drone", "camera",
    "sensor", "antenna", "flag", "banner", "kiosk", "ticket machine", "turnstile", "gate", "door", "window",
    "elevator", "escalator", "boat", "kayak", "surfboard", "snowboard", "skis", "sledge", "ball", "racket",
    "tent", "grill", "flower pot", "tree", "bush", "hose", "lawnmower", "wheelbarrow", "shovel", "rake",
  ]
}
