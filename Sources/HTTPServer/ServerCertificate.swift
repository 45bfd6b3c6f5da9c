import Glibc
import Threading
import TLS

/// A server's certificate, which can be replaced while the server runs.
public final class ServerCertificate: Sendable {
  /// What changes when a file is written or replaced.
  private struct Stamp: Sendable, Equatable {
    var device: UInt
    var inode: UInt
    var size: Int
    var seconds: Int
    var nanoseconds: Int

    init?(_ path: String) {
      var information = stat()
      guard stat(path, &information) == 0 else { return nil }
      device = UInt(information.st_dev)
      inode = UInt(information.st_ino)
      size = Int(information.st_size)
      seconds = information.st_mtim.tv_sec
      nanoseconds = information.st_mtim.tv_nsec
    }
  }

  private struct State: Sendable {
    var context: TLSContext
    var stamps: [Stamp?]
    var isRejected = false
  }

  /// Where it is read from.
  public let files: TLSFiles
  private let state: Lock<State>

  /// Reads the files.
  ///
  /// - Throws: why they cannot be used.
  public init(_ files: TLSFiles) throws(TLSError) {
    self.files = files
    // Before they are read: what changes meanwhile is seen next time.
    let stamps = ServerCertificate.stamps(files)
    state = Lock(State(context: try TLSContext(files), stamps: stamps))
  }

  /// When it expires, in seconds since 1970.
  public var expiry: Int64 { current.expiry }

  /// Whether the files, as they were last read, cannot be used: an older certificate is in use.
  public var isRejected: Bool { state.withLock { $0.isRejected } }

  var current: TLSContext { state.withLock { $0.context } }

  /// Reads the files again: always, or if they have changed since they were last read. Returns when the new certificate
  /// expires, nil if it is the old one. Files that cannot be used are reported once.
  func reload(always: Bool) throws(TLSError) -> Int64? {
    let stamps = ServerCertificate.stamps(files)
    let isNew = state.withLock { state in
      defer { state.stamps = stamps }
      return state.stamps != stamps
    }
    guard always || isNew else { return nil }
    do throws(TLSError) {
      let context = try TLSContext(files)
      state.withLock { ($0.context, $0.isRejected) = (context, false) }
      return context.expiry
    } catch {
      state.withLock { $0.isRejected = true }
      throw error
    }
  }

  private static func stamps(_ files: TLSFiles) -> [Stamp?] {
    [files.certificate, files.key, files.clientAuthorities ?? ""].map(Stamp.init)
  }
}
