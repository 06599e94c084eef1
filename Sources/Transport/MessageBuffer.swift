/// Memory that a message is sent from or received into, aligned to 64 bytes.
///
/// A transfer in flight keeps its buffer alive, so a wait that times out leaves no dangling memory. From the
/// start of a transfer to the end of its wait, the transport reads (send) or writes (receive) the bytes;
/// until then their owner must not write or read them.
package final class MessageBuffer: @unchecked Sendable {
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
