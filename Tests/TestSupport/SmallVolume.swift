import Foundation
import Glibc

/// A file system of a few megabytes, to see what a full disk does. Its owner is the user that PostgreSQL runs as.
///
/// It is a tmpfs, which only root may mount. A test that needs it fails elsewhere, unless `FAULT_MOUNT=0` leaves it
/// out.
public final class SmallVolume {
  /// Where it is mounted.
  public let folder: String

  /// Whether tests may use one.
  public static var isWanted: Bool { ProcessInfo.processInfo.environment["FAULT_MOUNT"] != "0" }

  /// Mounts it.
  /// - Throws: `TestSupportError` that says what is missing, where this process may not mount.
  public init(megabytes: Int) throws {
    var template = Array("/tmp/topitems-volume-XXXXXX".utf8CString)
    guard let path = mkdtemp(&template).map({ String(cString: $0) }) else {
      throw TestSupportError("no folder in /tmp: \(String(cString: strerror(errno)))")
    }
    guard mount("tmpfs", path, "tmpfs", 0, "size=\(megabytes)m") == 0 else {
      let reason = String(cString: strerror(errno))
      rmdir(path)
      throw TestSupportError(
        "a full disk is tried on a tmpfs, which cannot be mounted here (\(reason)): run the tests as root, in a "
          + "container with CAP_SYS_ADMIN, or leave these cases out with FAULT_MOUNT=0"
      )
    }
    folder = path
    try give(folder)
    chmod(folder, 0o700)
  }

  deinit { remove() }

  /// Moves a folder here and leaves a link behind.
  public func takeOver(_ path: String) throws {
    let target = folder + "/content"
    try FileManager.default.copyItem(atPath: path, toPath: target)
    try FileManager.default.removeItem(atPath: path)
    try FileManager.default.createSymbolicLink(atPath: path, withDestinationPath: target)
    for name in [""] + (try FileManager.default.subpathsOfDirectory(atPath: target)).map({ "/" + $0 }) {
      try give(target + name)
    }
    try give(path)
  }

  /// Takes all the room that is left.
  public func fill() throws {
    guard let file = fopen(folder + "/ballast", "w") else {
      throw TestSupportError("no ballast: \(String(cString: strerror(errno)))")
    }
    let block = [UInt8](repeating: 1, count: 4096)
    setvbuf(file, nil, Int32(_IONBF), 0)
    while fwrite(block, 1, block.count, file) == block.count {}
    fclose(file)
  }

  /// Gives it back.
  public func free() throws { try FileManager.default.removeItem(atPath: folder + "/ballast") }

  /// Unmounts it, also while it is in use. Calling it twice is fine.
  public func remove() {
    umount2(folder, Int32(MNT_DETACH))
    rmdir(folder)
  }

  private func give(_ path: String) throws {
    guard geteuid() == 0 else { return }
    guard let user = getpwnam("postgres") else { throw TestSupportError("there is no user postgres") }
    guard lchown(path, user.pointee.pw_uid, user.pointee.pw_gid) == 0 else {
      throw TestSupportError("cannot give \(path) to postgres: \(String(cString: strerror(errno)))")
    }
  }
}
