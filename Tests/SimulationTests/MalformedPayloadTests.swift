import Counting
import Testing

@testable import Simulation

@Suite("Malformed payloads")
struct MalformedPayloadTests {
  @Test("the decoder refuses every one of them", arguments: MalformedPayload.all.map(\.defect))
  func refused(defect: String) throws {
    let payload = try #require(MalformedPayload.all.first { $0.defect == defect })
    #expect(throws: DecodeError.self) { try decoded([payload.bytes]) }
  }

  @Test("they show the decoder's reasons in all their variety")
  func reasons() throws {
    var reasons: Set<DecodeFailure> = []
    for payload in MalformedPayload.all {
      do { _ = try decoded([payload.bytes]) } catch let error as DecodeError { reasons.insert(error.reason) }
    }
    // The one left out is a payload over the limit, which brokers refuse first.
    #expect(reasons == Set(DecodeFailure.allCases).subtracting([.tooLarge]))
  }

  @Test("the stream sends each of them in turn")
  func rotation() throws {
    var scenario = mixed
    (scenario.duplicates, scenario.late, scenario.future, scenario.tombstones) = (0, 0, 0, 0)
    scenario.malformed = 1
    let sent = try messages(MalformedPayload.all.count * 2, of: scenario).map(\.payload)
    #expect(sent == (MalformedPayload.all + MalformedPayload.all).map(\.bytes))
  }
}
