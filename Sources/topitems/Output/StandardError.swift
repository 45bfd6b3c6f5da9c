import Glibc

/// Messages of a command; results go to standard output.
enum StandardError {
  /// Writes the text and a line's end in one piece, so that lines of several threads do not mix.
  static func write(_ text: String) {
    var line = text
    if !line.hasSuffix("\n") { line += "\n" }
    line.withUTF8 { bytes in
      // A failure cannot be reported.
      _ = Glibc.write(STDERR_FILENO, bytes.baseAddress, bytes.count)
    }
  }
}
