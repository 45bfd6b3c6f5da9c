import HTTP
import Testing

@Suite("Accept-Encoding")
struct AcceptEncodingTests {
  @Test(
    "gzip is sent where it is acceptable, and not less than nothing at all (RFC 9110 §12.5.3)",
    arguments: [
      ([], false), (["gzip"], true), (["GZIP"], true), (["x-gzip"], true), (["gzip, deflate, br"], true),
      (["deflate, gzip;q=1.0, *;q=0.5"], true), (["gzip;q=0"], false), (["gzip ; q=0.000"], false),
      (["gzip;q=0.001"], true), (["*"], true), (["*;q=0"], false), (["identity"], false), ([""], false),
      (["identity;q=1, gzip;q=0.5"], false), (["identity;q=0.5, gzip;q=0.5"], true),
      (["identity;q=0, gzip;q=0.1"], true), (["*;q=0.5, gzip;q=0"], false), (["br", "gzip"], true),
      (["gzip;q=x"], false), (["gzip;q=2"], false), (["gzip;q=0.1234"], false), (["gzip;q=1.001"], false),
      (["gzipped"], false), ([";;,,gzip"], true), (["gzip;level=3;q=0"], false),
    ] as [([String], Bool)]
  )
  func negotiation(values: [String], isAccepted: Bool) {
    var fields = Fields()
    for value in values { fields.append("Accept-Encoding", value) }
    #expect(AcceptEncoding.acceptsGzip(fields) == isAccepted)
  }
}
