import HTTP
import Testing

@testable import APICore

@Suite("Where links begin")
struct PublicAddressTests {
  private func origin(_ address: PublicAddress, _ fields: Fields) throws -> String {
    address.origin(for: Request(target: try Target("/v1/items"), fields: fields))
  }

  @Test(
    "at the host that the request names, with https where this server or a proxy before it speaks TLS",
    arguments: [
      (false, [:], "http://a.example:8080"),
      (true, [:], "https://a.example:8080"),
      (false, ["X-Forwarded-Proto": "HTTPS"], "https://a.example:8080"),
      (false, ["X-Forwarded-Proto": "https, http"], "https://a.example:8080"),
      (false, ["X-Forwarded-Proto": "javascript"], "http://a.example:8080"),
    ] as [(Bool, Fields, String)]
  )
  func scheme(isEncrypted: Bool, fields: Fields, expected: String) throws {
    var fields = fields
    fields.append("Host", "a.example:8080")
    var address = PublicAddress()
    address.isEncrypted = isEncrypted
    #expect(try origin(address, fields) == expected)
  }

  @Test("where the operator says, whatever the request does")
  func configured() throws {
    var address = PublicAddress()
    address.url = "https://example.com/base"
    let origin = try origin(address, ["Host": "internal", "X-Forwarded-Proto": "http"])
    #expect(origin == "https://example.com/base")
  }
}
