import Kafka
import Threading

/// What a client has said, from whichever thread.
final class Observations: Sendable {
  private let values = Lock<[KafkaObservation]>([])

  func append(_ observation: KafkaObservation) { values.withLock { $0.append(observation) } }

  var all: [KafkaObservation] { values.withLock { $0 } }
}
