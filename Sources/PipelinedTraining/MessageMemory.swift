import Transport

/// Reuses the buffers of large messages with the same length in every step. The first touch of memory fresh
/// from the system costs as much as several copies.
final class MessageMemory {
  private var free: [Int: [MessageBuffer]] = [:]
  private var taken: Set<ObjectIdentifier> = []

  /// A buffer with arbitrary contents.
  func take(_ count: Int) -> MessageBuffer {
    let buffer = free[count]?.popLast() ?? MessageBuffer(count: count)
    taken.insert(ObjectIdentifier(buffer))
    return buffer
  }

  /// Returns a buffer that no transfer uses any longer; buffers from elsewhere are ignored.
  func giveBack(_ buffer: MessageBuffer) {
    guard taken.remove(ObjectIdentifier(buffer)) != nil else { return }
    free[buffer.count, default: []].append(buffer)
  }
}
