import Glibc

/// A growing piece of memory that big-endian numbers and bytes are appended to; one allocation, reused.
///
/// Callers `reserve` before they store, so that a row's fields cost one comparison each and no array appends.
@usableFromInline
struct BinaryBuffer: ~Copyable {
  @usableFromInline private(set) var base: UnsafeMutableRawPointer
  @usableFromInline var count = 0
  @usableFromInline private(set) var capacity: Int

  init(capacity: Int) {
    base = .allocate(byteCount: capacity, alignment: 16)
    self.capacity = capacity
  }

  // Inlinable because the compiler (6.3) stops with an assertion when it optimizes the implicit setter of an
  // inlinable property whose type's deinit is not.
  @inlinable
  deinit {
    base.deallocate()
  }

  @inlinable var free: Int { capacity - count }

  @inlinable var bytes: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: base, count: count) }

  /// Makes room for that many more bytes. What `base` pointed to may move.
  mutating func reserve(_ additional: Int) {
    guard free < additional else { return }
    let grown = max(count + additional, capacity * 2)
    let moved = UnsafeMutableRawPointer.allocate(byteCount: grown, alignment: 16)
    moved.copyMemory(from: base, byteCount: count)
    base.deallocate()
    base = moved
    capacity = grown
  }

  /// Empties the buffer; one that had to grow beyond `limit` gives its memory back.
  mutating func reset(keeping limit: Int) {
    count = 0
    guard capacity > limit else { return }
    base.deallocate()
    base = .allocate(byteCount: limit, alignment: 16)
    capacity = limit
  }

  /// Appends a number in network order. The room must have been reserved.
  @inlinable
  mutating func store<Number: FixedWidthInteger>(_ number: Number) {
    base.storeBytes(of: number.bigEndian, toByteOffset: count, as: Number.self)
    count += MemoryLayout<Number>.size
  }

  /// Appends bytes. The room must have been reserved.
  @inlinable
  mutating func store(_ source: UnsafeRawBufferPointer) {
    if let start = source.baseAddress {
      memcpy(base + count, start, source.count)
    }
    count += source.count
  }
}
