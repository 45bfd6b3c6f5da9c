import Glibc

/// A file that appears whole or not at all: it is written beside its place and moved there when it is done.
struct AtomicFile {
  private let path: String
  private var folder: String {
    guard let slash = path.lastIndex(of: "/") else { return "." }
    return slash == path.startIndex ? "/" : String(path[..<slash])
  }

  /// Prepares the place, so that a path that cannot be written fails early. A file that is already there is
  /// removed, so that a file with this name is always this run's.
  init(replacing path: String) throws(FileError) {
    self.path = path
    var status = stat()
    if stat(path, &status) == 0 {
      // Moving a file over a device or a pipe would destroy it.
      guard status.st_mode & S_IFMT == S_IFREG else {
        throw FileError(path: path, reason: "is no regular file")
      }
      guard unlink(path) == 0 else { throw FileError(path: path, errno) }
    }
    guard access(folder, W_OK | X_OK) == 0 else { throw FileError(path: path, errno) }
  }

  /// Writes the file; it is in its place, and on the disk, when this returns.
  func write(_ body: (_ append: ([UInt8]) throws(FileError) -> Void) throws(FileError) -> Void)
    throws(FileError)
  {
    var template = Array("\(path).XXXXXX".utf8CString)
    let descriptor = mkstemp(&template)
    guard descriptor >= 0 else { throw FileError(path: path, errno) }
    do throws(FileError) {
      defer { close(descriptor) }
      try body { bytes throws(FileError) in try append(bytes, to: descriptor) }
      // mkstemp's 0600 is for secrets; this file may be read by anyone who checks the counts.
      guard fchmod(descriptor, 0o644) == 0, fsync(descriptor) == 0 else { throw FileError(path: path, errno) }
      guard rename(template, path) == 0 else { throw FileError(path: path, errno) }
    } catch {
      unlink(template)
      throw error
    }
  }

  private func append(_ bytes: [UInt8], to descriptor: Int32) throws(FileError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let written = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
      if written < 0 {
        if errno == EINTR { continue }
        throw FileError(path: path, errno)
      }
      rest = rest.dropFirst(written)
    }
  }
}

/// A file that cannot be written.
struct FileError: Error, CustomStringConvertible {
  var path: String
  var reason: String

  init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  init(path: String, _ code: Int32) {
    self.init(path: path, reason: String(cString: strerror(code)))
  }

  var description: String { "\(path): \(reason)" }
}
