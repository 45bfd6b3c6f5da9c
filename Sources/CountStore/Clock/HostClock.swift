import Glibc

/// This machine's clocks, for a `ClockReading`.
public struct HostClock: Sendable {
  /// Names the monotonic clock: the same for every process that reads the same clock, and for no other.
  public var id: String
  /// The wall clock, in microseconds since 1970.
  public var wall: @Sendable () -> Int64
  /// A clock that cannot be set, and that runs while the machine sleeps, in microseconds.
  public var monotonic: @Sendable () -> Int64

  /// Clocks of a test's own.
  public init(
    id: String,
    wall: @escaping @Sendable () -> Int64,
    monotonic: @escaping @Sendable () -> Int64
  ) {
    self.id = id
    self.wall = wall
    self.monotonic = monotonic
  }

  /// The system's.
  public static let system = HostClock(
    id: systemID(),
    wall: { microseconds(of: CLOCK_REALTIME) },
    monotonic: { microseconds(of: CLOCK_BOOTTIME) }
  )

  private static func microseconds(of clock: clockid_t) -> Int64 {
    var time = timespec()
    clock_gettime(clock, &time)
    return Int64(time.tv_sec) * 1_000_000 + Int64(time.tv_nsec) / 1000
  }

  /// The boot and, as a time namespace has a monotonic clock of its own, its offsets (time_namespaces(7)). Where the
  /// system does not say, a name that only this process has: then no agreement outlives it.
  private static func systemID() -> String {
    guard let boot = firstLine(of: "/proc/sys/kernel/random/boot_id"), !boot.isEmpty else {
      return "process \(UInt64.random(in: 0 ... .max))"
    }
    // "monotonic 0 0", then "boottime 0 0"; no such file before Linux 5.6, which has no time namespaces.
    let offsets = content(of: "/proc/self/timens_offsets") ?? ""
    let offset = offsets.split(separator: "\n").last { $0.hasPrefix("boottime") } ?? "boottime 0 0"
    return "\(boot) \(offset.split(separator: " ").dropFirst().joined(separator: "."))"
  }

  private static func firstLine(of path: String) -> String? {
    content(of: path)?.split(separator: "\n").first.map(String.init)
  }

  private static func content(of path: String) -> String? {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    var bytes = [UInt8](repeating: 0, count: 512)
    let count = read(descriptor, &bytes, bytes.count)
    return count < 0 ? nil : String(decoding: bytes.prefix(count), as: UTF8.self)
  }
}
