/// Memory of a device that lives as long as this object. 64-byte aligned, zeroed.
///
/// Unchecked: the owner decides who reads and writes which part.
package final class DeviceMemory: @unchecked Sendable {
  /// The first byte.
  package let address: UnsafeMutableRawPointer
  /// The size in bytes.
  package let byteCount: Int

  /// Allocates host memory.
  package init(byteCount: Int) {
    self.byteCount = max(byteCount, 64)
    address = UnsafeMutableRawPointer.allocate(byteCount: self.byteCount, alignment: 64)
    address.initializeMemory(as: UInt8.self, repeating: 0, count: self.byteCount)
  }

  deinit { address.deallocate() }

  /// All of it as one dense matrix.
  package func matrix(rows: Int, columns: Int, type: ElementType) -> Matrix {
    precondition(rows * columns * type.size <= byteCount, "DeviceMemory: too small")
    return Matrix(address, rows: rows, columns: columns, type: type)
  }
}

/// Hands out parts of one block of memory, first to plan its size and then to use it: the same code,
/// run once without memory, tells how many bytes a step needs.
package struct ArenaPlanner {
  private let base: UnsafeMutableRawPointer?
  /// Bytes handed out so far.
  package private(set) var byteCount = 0

  /// Without `memory` the parts are only counted: their addresses must not be used.
  package init(memory: DeviceMemory? = nil) { base = memory?.address }

  /// The next part, on a 64-byte boundary.
  package mutating func matrix(rows: Int, columns: Int, type: ElementType) -> Matrix {
    let start = byteCount
    byteCount += (rows * columns * type.size + 63) / 64 * 64
    let address = base.map { $0 + start } ?? Self.unusable
    return Matrix(address, rows: rows, columns: columns, type: type)
  }

  nonisolated(unsafe) private static let unusable = UnsafeMutableRawPointer.allocate(
    byteCount: 64, alignment: 64)
}
