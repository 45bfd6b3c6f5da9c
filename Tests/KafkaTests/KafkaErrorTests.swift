import CLibrdkafka
import Testing

@testable import Kafka

@Suite struct KafkaErrorTests {
  @Test("an error says its name, its text and the first five partitions")
  func description() {
    let few = KafkaError(
      code: RD_KAFKA_RESP_ERR__TIMED_OUT,
      message: "late",
      partitions: [TopicPartition(topic: "a", partition: 3)]
    )
    #expect(few.description == "_TIMED_OUT: late (a[3])")
    let many = KafkaError(
      code: RD_KAFKA_RESP_ERR_UNKNOWN_TOPIC_OR_PART,
      partitions: (0..<7).map { TopicPartition(topic: "a", partition: $0) }
    )
    #expect(many.description.hasSuffix("(a[0], a[1], a[2], a[3], a[4] and 2 more)"))
    #expect(many.description.hasPrefix("UNKNOWN_TOPIC_OR_PART: Broker: "))
  }

  @Test("codes are classified by what to do about them")
  func kinds() {
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__PARTITION_EOF).isPartitionEnd)
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__TRANSPORT).isRetriable)
    #expect(!KafkaError(code: RD_KAFKA_RESP_ERR_TOPIC_AUTHORIZATION_FAILED).isRetriable)
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__FATAL).isFatal)
    #expect(!KafkaError(code: RD_KAFKA_RESP_ERR__TRANSPORT).isFatal)
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__AUTO_OFFSET_RESET).isOffsetOutOfRange)
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__UNKNOWN_PARTITION).isUnknownTopicOrPartition)
    #expect(KafkaError(code: RD_KAFKA_RESP_ERR__TIMED_OUT).isTimeout)
  }

  @Test("an error without a code of this librdkafka still has a name")
  func unknownCode() {
    let error = KafkaError(code: rd_kafka_resp_err_t(rawValue: 12345))
    #expect(error.code == 12345)
    #expect(!error.name.isEmpty)
  }
}
