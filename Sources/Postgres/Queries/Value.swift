/// One argument of a ``Query``, sent in PostgreSQL's binary format with its type.
public enum Value: Sendable, Hashable {
  /// NULL of a type that the server infers from where it stands.
  case null
  /// NULL of a known type; one SQL text stays one prepared statement, whether the argument is NULL or not.
  case nullOf(ValueType)
  /// `boolean`
  case bool(Bool)
  /// `integer`
  case int32(Int32)
  /// `bigint`
  case int64(Int64)
  /// `double precision`
  case double(Double)
  /// `text`, as UTF-8. PostgreSQL refuses U+0000 with SQLSTATE 22021.
  case text(String)
  /// `bytea`
  case bytes([UInt8])
  /// `timestamptz`, microseconds since 1970-01-01T00:00:00Z
  case timestamp(Int64)
  /// `integer[]`
  case int32Array([Int32])
  /// `bigint[]`
  case int64Array([Int64])
  /// `text[]`
  case textArray([String])
  /// `text[]` with NULL elements
  case optionalTextArray([String?])
  /// `bytea[]`
  case bytesArray([[UInt8]])
  /// `timestamptz[]`, microseconds since 1970-01-01T00:00:00Z
  case timestampArray([Int64])
}

/// The PostgreSQL type of a ``Value``.
public enum ValueType: Sendable, Hashable, CaseIterable {
  /// `boolean`
  case bool
  /// `integer`
  case int32
  /// `bigint`
  case int64
  /// `double precision`
  case double
  /// `text`
  case text
  /// `bytea`
  case bytes
  /// `timestamptz`
  case timestamp
  /// `integer[]`
  case int32Array
  /// `bigint[]`
  case int64Array
  /// `text[]`
  case textArray
  /// `bytea[]`
  case bytesArray
  /// `timestamptz[]`
  case timestampArray

  var oid: UInt32 {
    switch self {
    case .bool: TypeOID.bool
    case .int32: TypeOID.int4
    case .int64: TypeOID.int8
    case .double: TypeOID.float8
    case .text: TypeOID.text
    case .bytes: TypeOID.bytea
    case .timestamp: TypeOID.timestamptz
    case .int32Array: TypeOID.int4Array
    case .int64Array: TypeOID.int8Array
    case .textArray: TypeOID.textArray
    case .bytesArray: TypeOID.byteaArray
    case .timestampArray: TypeOID.timestamptzArray
    }
  }
}

extension Value {
  /// The type's object id, 0 where the server is to infer it.
  var typeOID: UInt32 {
    switch self {
    case .null: 0
    case .nullOf(let type): type.oid
    case .bool: TypeOID.bool
    case .int32: TypeOID.int4
    case .int64: TypeOID.int8
    case .double: TypeOID.float8
    case .text: TypeOID.text
    case .bytes: TypeOID.bytea
    case .timestamp: TypeOID.timestamptz
    case .int32Array: TypeOID.int4Array
    case .int64Array: TypeOID.int8Array
    case .textArray, .optionalTextArray: TypeOID.textArray
    case .bytesArray: TypeOID.byteaArray
    case .timestampArray: TypeOID.timestamptzArray
    }
  }
}
