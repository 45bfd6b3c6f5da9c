import Glibc

/// Where results go.
enum StandardOutput {
  /// Writes all of it.
  ///
  /// - Throws: `FileError`; a reader that has gone away (EPIPE) ends the command, too.
  static func write(_ bytes: [UInt8]) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(STDOUT_FILENO, $0.baseAddress, $0.count) }
      if count < 0 {
        if errno == EINTR { continue }
        throw FileError(path: "standard output", errno)
      }
      rest = rest.dropFirst(count)
    }
  }

  static func write(_ text: String) throws(FileError) { try write(Array(text.utf8)) }
}
