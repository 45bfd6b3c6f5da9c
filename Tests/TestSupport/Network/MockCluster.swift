import CLibrdkafka
public import Kafka

/// librdkafka's mock brokers (`rdkafka_mock.h`) in this process, on loopback ports: for tests of failures that no real
/// broker produces on request.
///
/// It knows topics, producing, fetching, groups and their coordinators; offsets beyond a log's end are refused, as by
/// Kafka. The interface is experimental: it may change with librdkafka. Used by one thread at a time.
public final class MockCluster {
  /// A request that can be answered with errors, by its number in Kafka's protocol.
  public enum Request: Int16, Sendable {
    case produce = 0
    case fetch = 1
    case listOffsets = 2
    case metadata = 3
    case offsetCommit = 8
    case findCoordinator = 10
    case joinGroup = 11
    case heartbeat = 12
    case leaveGroup = 13
    case syncGroup = 14
  }

  /// Errors that brokers answer with, by their number in Kafka's protocol.
  public enum BrokerError: Int32, Sendable {
    case unknown = -1
    case offsetOutOfRange = 1
    case corruptMessage = 2
    case unknownTopicOrPartition = 3
    case notLeaderForPartition = 6
    case messageTooLarge = 10
    case coordinatorLoadInProgress = 14
    case coordinatorNotAvailable = 15
    case notCoordinator = 16
    case unknownMemberID = 25
    case rebalanceInProgress = 27
    case topicAuthorizationFailed = 29
    case kafkaStorageError = 56
    case fencedInstanceID = 82
  }

  private let client: OpaquePointer
  private let cluster: OpaquePointer

  /// Starts `brokers` brokers, numbered from 1.
  /// - Throws: `TestSupportError`.
  public init(brokers: Int) throws {
    // A client only lends its threads; it connects to no broker.
    let configuration = rd_kafka_conf_new()
    rd_kafka_conf_set_log_cb(configuration, nil)
    var message = [CChar](repeating: 0, count: 512)
    guard let client = rd_kafka_new(RD_KAFKA_PRODUCER, configuration, &message, message.count) else {
      rd_kafka_conf_destroy(configuration)
      throw TestSupportError("librdkafka's client did not start")
    }
    guard let cluster = rd_kafka_mock_cluster_new(client, Int32(clamping: brokers)) else {
      rd_kafka_destroy(client)
      throw TestSupportError("librdkafka's mock cluster did not start")
    }
    self.client = client
    self.cluster = cluster
  }

  deinit {
    rd_kafka_mock_cluster_destroy(cluster)
    rd_kafka_destroy(client)
  }

  /// `host:port,host:port`, for `bootstrap.servers`.
  public var address: String {
    rd_kafka_mock_cluster_bootstraps(cluster).map { String(cString: $0) } ?? ""
  }

  /// Makes a topic whose partitions are on every broker.
  public func createTopic(_ name: String, partitions: Int32, replicas: Int32 = 1) throws {
    try check(rd_kafka_mock_topic_create(cluster, name, partitions, replicas), "create \(name)")
  }

  /// Makes a broker the partition's leader; nil leaves it without one.
  public func setLeader(of partition: TopicPartition, to broker: Int32?) throws {
    let code = rd_kafka_mock_partition_set_leader(
      cluster,
      partition.topic,
      partition.partition,
      broker ?? -1
    )
    try check(code, "set the leader of \(partition)")
  }

  /// Makes a broker the coordinator of a group.
  public func setCoordinator(ofGroup group: String, to broker: Int32) throws {
    try check(rd_kafka_mock_coordinator_set(cluster, "group", group, broker), "set the coordinator")
  }

  /// Cuts a broker's connections and refuses new ones; nil means all brokers. Leaders stay what they are.
  public func setDown(_ broker: Int32? = nil) throws {
    try check(rd_kafka_mock_broker_set_down(cluster, broker ?? -1), "set down")
  }

  /// Lets a broker accept connections again; nil means all brokers.
  public func setUp(_ broker: Int32? = nil) throws {
    try check(rd_kafka_mock_broker_set_up(cluster, broker ?? -1), "set up")
  }

  /// Delays each response of a broker (nil: of all) by so many milliseconds.
  public func setRoundTrip(_ broker: Int32? = nil, milliseconds: Int32) throws {
    try check(rd_kafka_mock_broker_set_rtt(cluster, broker ?? -1, milliseconds), "set the round trip")
  }

  /// Answers the next requests of a kind with these errors, one each, from any client.
  public func fail(_ request: Request, with errors: [BrokerError]) {
    let codes = errors.map { rd_kafka_resp_err_t(rawValue: $0.rawValue) }
    rd_kafka_mock_push_request_errors_array(cluster, request.rawValue, codes.count, codes)
  }

  /// Forgets the errors that were not answered yet.
  public func stopFailing(_ request: Request) {
    rd_kafka_mock_clear_request_errors(cluster, request.rawValue)
  }

  /// Answers everything about a topic with an error; nil ends that.
  public func setError(ofTopic topic: String, to error: BrokerError?) {
    rd_kafka_mock_topic_set_error(cluster, topic, rd_kafka_resp_err_t(rawValue: error?.rawValue ?? 0))
  }

  private func check(_ code: rd_kafka_resp_err_t, _ action: String) throws {
    guard code != RD_KAFKA_RESP_ERR_NO_ERROR else { return }
    let name = rd_kafka_err2name(code).map { String(cString: $0) } ?? "\(code.rawValue)"
    throw TestSupportError("mock cluster: \(action): \(name)")
  }
}
