/// The object ids of PostgreSQL's built-in types that are sent or read here; fixed for ever in `pg_type.dat`.
enum TypeOID {
  static let bool: UInt32 = 16
  static let bytea: UInt32 = 17
  static let int8: UInt32 = 20
  static let int2: UInt32 = 21
  static let int4: UInt32 = 23
  static let text: UInt32 = 25
  static let oid: UInt32 = 26
  static let float4: UInt32 = 700
  static let float8: UInt32 = 701
  static let byteaArray: UInt32 = 1001
  static let int4Array: UInt32 = 1007
  static let textArray: UInt32 = 1009
  static let int8Array: UInt32 = 1016
  static let timestamp: UInt32 = 1114
  static let timestamptz: UInt32 = 1184
  static let timestamptzArray: UInt32 = 1185
  static let numeric: UInt32 = 1700
  static let jsonb: UInt32 = 3802

  /// Types whose binary form is not their text, so that reading them as a string would be a surprise.
  static let notText: Set<UInt32> = [
    bool, bytea, int8, int2, int4, oid, float4, float8, byteaArray, int4Array, textArray, int8Array,
    timestamp,
    timestamptz, timestamptzArray, numeric, 1082, 1083, 1186, 1266, 2950,
  ]
}

/// PostgreSQL counts time in microseconds since 2000-01-01, everything here since 1970-01-01.
///
/// Source: `src/include/datatype/timestamp.h`, `POSTGRES_EPOCH_JDATE` and `UNIX_EPOCH_JDATE`.
enum PostgresEpoch {
  @usableFromInline static let microseconds: Int64 = 946_684_800_000_000
}
