import Glibc

/// Memory that a message is sent from or received into, aligned to 64 bytes.
///
/// A transfer in flight keeps its buffer alive, so a wait that times out leaves no dangling memory. From the
/// start of a transfer to the end of its wait, the transport reads (send) or writes (receive) the bytes;
/// until then their owner must not write or read them.
package final class MessageBuffer: @unchecked Sendable {
  package let bytes: UnsafeMutableRawBufferPointer
  private let allocation: UnsafeMutableRawPointer

  /// Zeroed memory of `count` bytes.
  package convenience init(count: Int) {
    guard let allocation = Self.allocate(count) else {
      fatalError("no memory for a message of \(count) bytes")
    }
    self.init(allocation, count: count)
  }

  /// Zeroed memory of a size that another rank announced; `nil` if the system does not have so much. Pages
  /// take memory when something is written into them.
  package convenience init?(announced count: Int) {
    guard let allocation = Self.allocate(count) else { return nil }
    self.init(allocation, count: count)
  }

  private init(_ allocation: UnsafeMutableRawPointer, count: Int) {
    self.allocation = allocation
    bytes = UnsafeMutableRawBufferPointer(start: allocation.alignedUp(toMultipleOf: 64), count: count)
  }

  private static func allocate(_ count: Int) -> UnsafeMutableRawPointer? {
    let (size, overflow) = count.addingReportingOverflow(64)
    return overflow || size < 0 ? nil : calloc(size, 1)
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

  deinit { free(allocation) }
}
