/// What a consumer or a producer has to say beside its results.
///
/// Given to the client's `observe` closure, from the calling thread or from librdkafka's own: the closure must be
/// quick and must not call the client.
public enum KafkaObservation: Sendable {
  /// A line of librdkafka's log. `level` as in syslog: 0 (emergency) to 7 (debug), 3 is an error, 4 a warning.
  case log(level: Int32, facility: String, text: String)
  /// A condition that librdkafka works on by itself (a broker down, a failed login), or, with `isFatal`, the end of
  /// this client.
  case error(KafkaError)
  /// A commit of offsets to the group failed; the offsets in PostgreSQL are the truth, so nothing is lost.
  case commitFailed(KafkaError)
  /// librdkafka's statistics, every `statistics.interval.ms`; see its STATISTICS.md.
  case statistics(json: String)
}
