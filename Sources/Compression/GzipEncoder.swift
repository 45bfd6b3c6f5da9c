import CZlib

/// Compresses to gzip (RFC 1952), piece by piece.
///
/// It keeps about 256 KiB while it lives.
public final class GzipEncoder {
  /// How much of what was taken must be in the output.
  private enum Completeness: Int32 {
    /// As zlib sees fit: the best compression.
    case some = 0
    /// All: a reader can decode everything up to here. Some bytes more.
    case flushed = 2
    /// All, and the end.
    case finished = 4
  }

  /// zlib keeps a pointer to it, so it must not move.
  private let stream = UnsafeMutablePointer<z_stream>.allocate(capacity: 1)

  /// An encoder for one gzip member.
  ///
  /// - Parameter level: 1 (fast) to 9 (small). Beyond 5, JSON hardly gets smaller.
  public init(level: Int = 5) {
    stream.initialize(to: z_stream())
    // 15 bits of window, and 16 for gzip's header instead of zlib's.
    let code = deflateInit2_(
      stream,
      Int32(clamping: min(max(level, 1), 9)),
      Z_DEFLATED,
      15 + 16,
      8,
      Z_DEFAULT_STRATEGY,
      ZLIB_VERSION,
      Int32(MemoryLayout<z_stream>.size)
    )
    // Everything else that zlib checks is constant.
    precondition(code == Z_OK, "out of memory")
  }

  deinit {
    deflateEnd(stream)
    stream.deallocate()
  }

  /// Takes bytes, and appends what is ready to the output.
  public func encode(_ bytes: [UInt8], to output: inout [UInt8]) { run(bytes, .some, &output) }

  /// Appends what is left of the bytes that were taken, so that a reader has them all. For streams with pauses.
  public func flush(to output: inout [UInt8]) { run([], .flushed, &output) }

  /// Appends the end; nothing may follow.
  public func finish(to output: inout [UInt8]) { run([], .finished, &output) }

  /// Compresses a whole body at once.
  public static func encode(_ bytes: [UInt8], level: Int = 5) -> [UInt8] {
    let encoder = GzipEncoder(level: level)
    var output: [UInt8] = []
    output.reserveCapacity(bytes.count / 4 + 64)
    encoder.run(bytes, .finished, &output)
    return output
  }

  private func run(_ bytes: [UInt8], _ completeness: Completeness, _ output: inout [UInt8]) {
    bytes.withUnsafeBufferPointer { input in
      var rest = input[...]
      repeat {
        // zlib counts in 32 bits.
        let part = rest.prefix(1 << 30)
        rest = rest.dropFirst(part.count)
        // It only reads, but its declaration does not say so.
        stream.pointee.next_in = UnsafeMutablePointer(
          mutating: UnsafeBufferPointer(rebasing: part).baseAddress
        )
        stream.pointee.avail_in = UInt32(part.count)
        drain(rest.isEmpty ? completeness : .some, &output)
      } while !rest.isEmpty
    }
  }

  /// Runs zlib until it has taken the input, and has no more output.
  private func drain(_ completeness: Completeness, _ output: inout [UInt8]) {
    let room = min(max(1024, Int(stream.pointee.avail_in) / 4), 65_536)
    repeat {
      let piece = [UInt8](unsafeUninitializedCapacity: room) { buffer, count in
        stream.pointee.next_out = buffer.baseAddress
        stream.pointee.avail_out = UInt32(room)
        // Z_BUF_ERROR only says that there was nothing to do.
        let code = deflate(stream, completeness.rawValue)
        precondition(code != Z_STREAM_ERROR, "an encoder that has finished takes nothing more")
        count = room - Int(stream.pointee.avail_out)
      }
      output += piece
    } while stream.pointee.avail_out == 0
  }
}
