public import Kafka
public import Postgres

/// Why a worker ended although it was not asked to stop.
public enum IngestionError: Error, Sendable, CustomStringConvertible {
  /// Kafka ended this consumer for good, e.g. because another member has its `group.instance.id`.
  case kafka(KafkaError)
  /// The database refuses what the worker does, and would again: a missing migration or right, a full type, a bug.
  case database(PostgresError)
  /// The database refuses more messages than can be bad luck.
  case tooManyRejected(PostgresError)
  /// `--drain` came to an end, and the database has taken nothing that would show that the fault is not its own.
  case nothingAccepted(PostgresError)
  /// `--drain` came to an end, but these partitions had been stopped.
  case halted(String)

  /// What happened, for an operator.
  public var description: String {
    switch self {
    case .kafka(let error): "Kafka ended this worker: \(error)"
    case .database(let error): "PostgreSQL refuses the batch, which is rolled back: \(error)"
    case .tooManyRejected(let error):
      "PostgreSQL refuses more than 10 messages of a batch; the last time: \(error)"
    case .nothingAccepted(let error):
      "PostgreSQL refuses all that is left to read, so that the fault may be its own: \(error)"
    case .halted(let reason): "a partition is stopped: \(reason)"
    }
  }
}
