import Testing

@testable import Prometheus

@Suite("Prometheus's text format")
struct ExpositionTests {
  @Test("a family has its help, its type and a line for each sample")
  func family() {
    var page = Exposition()
    page.counter("items_total", "Items seen.", [.init([("place", "a")], 3), .init([("place", "b")], 0.5)])
    page.gauge("lag", "Behind.", [.init(12)])
    #expect(
      page.text == """
        # HELP items_total Items seen.
        # TYPE items_total counter
        items_total{place="a"} 3
        items_total{place="b"} 0.5
        # HELP lag Behind.
        # TYPE lag gauge
        lag 12

        """
    )
  }

  @Test("quotes, backslashes and line breaks in a label do not end it")
  func escaping() {
    var page = Exposition()
    page.gauge("g", "a\\b\nc \"d\"", [.init([("topic", "x\"y\\z\nw")], 1)])
    #expect(page.text.split(separator: "\n").count == 3)
    #expect(page.text.contains(#"# HELP g a\\b\nc "d""#))
    #expect(page.text.contains(#"g{topic="x\"y\\z\nw"} 1"#))
  }

  @Test(
    "numbers are written as Prometheus reads them",
    arguments: [
      (1e18, "1000000000000000000"), (0.25, "0.25"), (-3, "-3"), (.infinity, "+Inf"), (-.infinity, "-Inf"),
      (.nan, "NaN"), (1e300, "1e+300"),
    ]
  )
  func numbers(value: Double, text: String) {
    var page = Exposition()
    page.gauge("g", "h", [.init(value)])
    #expect(page.text.hasSuffix("\ng \(text)\n"))
  }

  @Test("a histogram's buckets add up to its count, and a value on a bound belongs to it")
  func histogram() {
    var histogram = Histogram(bounds: [1, 10])
    for value in [0.5, 1, 2, 10, 11] { histogram.record(value) }
    var page = Exposition()
    page.histogram("h", "x", [([("phase", "p")], histogram)])
    #expect(
      page.text.split(separator: "\n").dropFirst(2).elementsEqual([
        #"h_bucket{phase="p",le="1"} 2"#, #"h_bucket{phase="p",le="10"} 4"#,
        #"h_bucket{phase="p",le="+Inf"} 5"#,
        #"h_sum{phase="p"} 24.5"#, #"h_count{phase="p"} 5"#,
      ])
    )
  }
}
