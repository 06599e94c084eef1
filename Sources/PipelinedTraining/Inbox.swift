import ContextGear
import Transport

/// The messages that a rank receives in a window. Receives are posted a few messages ahead, so that data
/// arrives while the rank computes.
package struct Inbox {
  /// The number of receives posted ahead, so that the next messages may arrive while one is used. Gradients
  /// of replicas are large and come once a step: one receive per sender is posted.
  private static let ahead = 4

  private let link: StageLink
  private let memory: (StageOperation) -> MessageBuffer
  private var coming: ArraySlice<StageOperation>
  private var posted: [(operation: StageOperation, transfer: Transfer, buffer: MessageBuffer)] = []

  /// - Parameter memory: provides a buffer for the longest message that an operation can receive.
  package init(
    _ link: StageLink, _ operations: ArraySlice<StageOperation>,
    memory: @escaping (StageOperation) -> MessageBuffer
  ) {
    self.link = link
    self.memory = memory
    coming = operations.filter { $0.kind == .receive }[...]
    post()
  }

  private mutating func post() {
    while posted.count < Self.ahead, let operation = coming.first {
      if operation.payload == .sums,
        posted.contains(where: { $0.operation.payload == .sums && $0.operation.peer == operation.peer })
      {
        return
      }
      coming.removeFirst()
      let buffer = memory(operation)
      let transfer = link.transport.receive(
        into: buffer, from: Int(operation.peer), tag: StageLink.tag(operation.message))
      posted.append((operation, transfer, buffer))
    }
  }

  /// Waits for the next message of the list.
  ///
  /// - Throws: the transport's errors, and one for a message that should have a fixed length and has another.
  package mutating func next(_ operation: StageOperation) throws -> MessageBuffer {
    let (expected, transfer, buffer) = posted.removeFirst()
    precondition(expected.message == operation.message, "messages out of order")
    post()
    let count = try transfer.wait(seconds: link.deadline)
    guard !operation.payload.hasOneLength || count == buffer.count else {
      throw TransportError.wrongLength(
        rank: link.transport.rank, waitingFor: transfer.description, peer: transfer.peer,
        detail: "\(operation.payload) of \(buffer.count) bytes came as \(count)")
    }
    return buffer
  }
}

extension StageOperation.Payload {
  /// Whether its messages have a fixed length, independent of the batch.
  fileprivate var hasOneLength: Bool { self == .sums || self == .norm || self == .columns }
}
