import CLibpq

extension Connection {
  /// Opens a libpq connection, or says why not without showing a password.
  static func connect(_ options: ConnectionOptions, timeoutLimit: Int?) throws(PostgresError) -> OpaquePointer
  {
    var target = try ConnectionTarget(url: options.url)
    // A black hole must not block for ever: each way of waiting on the network has its end.
    target.setDefault("connect_timeout", String(max(2, options.connectTimeout)))
    if let timeoutLimit {
      // To libpq, 0 means for ever.
      let wanted = target["connect_timeout"].flatMap { Int($0) } ?? 0
      target.set("connect_timeout", String(max(2, wanted > 0 ? min(wanted, timeoutLimit) : timeoutLimit)))
    }
    target.setDefault("keepalives", "1")
    target.setDefault("keepalives_idle", String(options.keepalivesIdle))
    target.setDefault("keepalives_interval", String(options.keepalivesInterval))
    target.setDefault("keepalives_count", String(options.keepalivesCount))
    target.setDefault("tcp_user_timeout", String(options.tcpUserTimeout))
    target.setDefault("application_name", options.applicationName)
    if options.needsToWrite { target.setDefault("target_session_attrs", "read-write") }
    // Strings are read and written as UTF-8, whatever the URL or the environment says.
    target.set("client_encoding", "UTF8")

    let keywords = CStringArray(target.parameters.map(\.keyword))
    let values = CStringArray(target.parameters.map(\.value))
    guard let handle = PQconnectdbParams(keywords.pointers, values.pointers, 0) else {
      throw PostgresError(.connection, "out of memory")
    }
    guard PQstatus(handle) == CONNECTION_OK else {
      let reason = PostgresError.trimmed(PQerrorMessage(handle)) ?? "no reason given"
      PQfinish(handle)
      throw PostgresError(.connection, "cannot connect to \(target): \(reason)")
    }
    do {
      try requireUnicode(handle)
    } catch {
      PQfinish(handle)
      throw error
    }
    // Notices ("relation exists, skipping") would go to stderr.
    PQsetNoticeReceiver(handle, { _, _ in }, nil)
    return handle
  }

  /// In another encoding (SQL_ASCII above all) the server would refuse some characters, or store bytes that it cannot
  /// read back as text.
  private static func requireUnicode(_ handle: OpaquePointer) throws(PostgresError) {
    guard let encoding = PQparameterStatus(handle, "server_encoding").map({ String(cString: $0) }),
      encoding != "UTF8"
    else { return }
    throw PostgresError(
      .configuration,
      "the database \(PQdb(handle).map { String(cString: $0) } ?? "") is encoded in \(encoding), UTF8 is needed: "
        + "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"
    )
  }
}

/// Copies of strings as C wants them, with the nil at the end.
private final class CStringArray {
  let pointers: [UnsafePointer<CChar>?]

  init(_ strings: [String]) {
    pointers =
      strings.map { string in
        let bytes = string.utf8CString
        let copy = UnsafeMutableBufferPointer<CChar>.allocate(capacity: bytes.count)
        _ = copy.initialize(from: bytes)
        return UnsafePointer(copy.baseAddress)
      } + [nil]
  }

  deinit {
    for pointer in pointers { pointer?.deallocate() }
  }
}
