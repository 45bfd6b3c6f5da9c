import CLinux
import Glibc

/// A file without a name: nothing of it is left when its owner goes, however the process ends. Threads may use it at
/// the same time.
public final class UnlinkedFile: Sendable {
  private let descriptor: FileDescriptor

  /// Makes one that is empty, for this process alone.
  ///
  /// - Throws: when the folder cannot be written to.
  public init(in folder: String) throws(SystemError) {
    var path = Array("\(folder)/topitems-XXXXXX".utf8CString)
    descriptor = FileDescriptor(owning: try call("make a file in \(folder)") { mkostemp(&path, O_CLOEXEC) })
    _ = try call("unlink a file in \(folder)") { unlink(path) }
  }

  /// Writes all of the bytes.
  public func write(_ bytes: [UInt8], at offset: Int) throws(SystemError) {
    var done = 0
    while done < bytes.count {
      done += try call("write a file") {
        bytes.withUnsafeBytes { buffer in
          let rest = UnsafeRawBufferPointer(rebasing: buffer[done...])
          return pwrite(descriptor.rawValue, rest.baseAddress, rest.count, off_t(offset + done))
        }
      }
    }
  }

  /// Reads so many bytes, which were written before.
  public func read(_ count: Int, at offset: Int) throws(SystemError) -> [UInt8] {
    var failure: SystemError?
    let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
      do throws(SystemError) {
        while filled < count {
          let rest = UnsafeMutableBufferPointer(rebasing: buffer[filled...])
          let taken = try call("read a file") {
            pread(descriptor.rawValue, rest.baseAddress, count - filled, off_t(offset + filled))
          }
          guard taken > 0 else { throw SystemError(call: "read a file", code: EIO) }
          filled += taken
        }
      } catch { failure = error }
    }
    if let failure { throw failure }
    return bytes
  }

  /// Gives all of its room back to the file system.
  public func empty() throws(SystemError) {
    _ = try call("empty a file") { ftruncate(descriptor.rawValue, 0) }
  }
}
