/// Memory that a message is sent from or received into, aligned to 64 bytes.
///
/// Transfers in flight keep their buffer alive, so a wait that ran out of time leaves no dangling memory.
/// Between the start of a transfer and the end of its wait the transport reads (send) or writes (receive)
/// the bytes; only then may their owner write, or look at them.
package final class MessageBuffer: @unchecked Sendable {
  /// The memory.
  package let bytes: UnsafeMutableRawBufferPointer

  /// Zeroed memory of `count` bytes.
  package init(count: Int) {
    bytes = .allocate(byteCount: count, alignment: 64)
    bytes.initializeMemory(as: UInt8.self, repeating: 0)
  }

  /// A copy of some bytes.
  package convenience init(_ contents: some Collection<UInt8>) {
    self.init(count: contents.count)
    bytes.copyBytes(from: contents)
  }

  /// The size in bytes.
  package var count: Int { bytes.count }

  /// A copy of the first `count` bytes.
  package func prefix(_ count: Int) -> [UInt8] { [UInt8](bytes.prefix(count)) }

  deinit { bytes.deallocate() }
}
