import Transport

/// Memory of messages that have the same length in every step and are large: it is used again. The first touch of
/// memory that the system has just handed out costs as much as several copies.
final class MessageMemory {
  private var free: [Int: [MessageBuffer]] = [:]
  private var taken: Set<ObjectIdentifier> = []

  /// Memory whose bytes may be anything.
  func take(_ count: Int) -> MessageBuffer {
    let buffer = free[count]?.popLast() ?? MessageBuffer(count: count)
    taken.insert(ObjectIdentifier(buffer))
    return buffer
  }

  /// Takes memory back that no transfer uses any longer; what did not come from here is left alone.
  func giveBack(_ buffer: MessageBuffer) {
    guard taken.remove(ObjectIdentifier(buffer)) != nil else { return }
    free[buffer.count, default: []].append(buffer)
  }
}
