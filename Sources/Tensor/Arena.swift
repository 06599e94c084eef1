/// Device memory that is freed with this object. It is 64-byte aligned and zeroed.
///
/// `@unchecked Sendable`: the owner decides who reads and writes which part.
package final class DeviceMemory: @unchecked Sendable {
  package let address: UnsafeMutableRawPointer
  /// The size in bytes.
  package let byteCount: Int

  package init(byteCount: Int) {
    self.byteCount = max(byteCount, 64)
    address = UnsafeMutableRawPointer.allocate(byteCount: self.byteCount, alignment: 64)
    address.initializeMemory(as: UInt8.self, repeating: 0, count: self.byteCount)
  }

  deinit { address.deallocate() }

  /// All of the memory as one dense matrix.
  package func matrix(rows: Int, columns: Int, type: ElementType) -> Matrix {
    precondition(rows * columns * type.size <= byteCount, "DeviceMemory: too small")
    return Matrix(address, rows: rows, columns: columns, type: type)
  }
}

/// Allocates consecutive parts of one block of memory. The same code runs twice: first without memory, to
/// compute the size of the block, then with it.
package struct ArenaPlanner {
  private let base: UnsafeMutableRawPointer?
  /// The number of bytes allocated so far.
  package private(set) var byteCount = 0

  /// Without `memory`, parts are only counted and their addresses must not be used.
  package init(memory: DeviceMemory? = nil) { base = memory?.address }

  /// Allocates the next matrix, aligned to 64 bytes.
  package mutating func matrix(rows: Int, columns: Int, type: ElementType) -> Matrix {
    let start = byteCount
    byteCount += (rows * columns * type.size + 63) / 64 * 64
    let address = base.map { $0 + start } ?? Self.unusable
    return Matrix(address, rows: rows, columns: columns, type: type)
  }

  nonisolated(unsafe) private static let unusable = UnsafeMutableRawPointer.allocate(
    byteCount: 64, alignment: 64)
}

extension ComputeDevice {
  /// Allocates one block of memory for all matrices of `plan`, which runs twice: first to compute the size,
  /// then to make the matrices. They are valid as long as the memory is kept.
  package func allocate<Buffers>(
    _ plan: (inout ArenaPlanner) -> Buffers
  ) -> (memory: DeviceMemory, buffers: Buffers) {
    var counter = ArenaPlanner()
    _ = plan(&counter)
    let memory = allocate(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    return (memory, plan(&planner))
  }
}
