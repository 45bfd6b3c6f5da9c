import Sockets
import Testing

@Suite("a socket address")
struct SocketAddressTests {
  @Test(
    "is read and written",
    arguments: [
      ("127.0.0.1:80", "127.0.0.1:80"), ("0.0.0.0:0", "0.0.0.0:0"), (":8080", "0.0.0.0:8080"),
      ("*:1", "0.0.0.0:1"),
      ("localhost:65535", "127.0.0.1:65535"), ("[::1]:80", "[::1]:80"), ("[::]:8080", "[::]:8080"),
      ("[2001:DB8:0::1]:9", "[2001:db8::1]:9"),
    ]
  )
  func reads(_ text: String, _ written: String) {
    #expect(SocketAddress(text)?.description == written)
  }

  @Test(
    "that is not one is refused",
    arguments: [
      "", "80", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "1.2.3:80", "a.example:80", "::1:80", "[::1]",
      "a:+1", "[1.2.3.4]:1",
    ]
  )
  func refuses(_ text: String) {
    #expect(SocketAddress(text) == nil)
  }
}
