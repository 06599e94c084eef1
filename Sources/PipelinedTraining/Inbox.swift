import ContextGear
import Transport

/// The messages a rank receives in a window, asked for a few ahead so that they arrive while it computes.
package struct Inbox {
  /// Receives posted ahead: while one message is used the next ones may arrive. Gradients of replicas are large and come once a
  /// step: of them one of each sender is awaited.
  private static let ahead = 4

  private let link: StageLink
  private let memory: (StageOperation) -> MessageBuffer
  private var coming: ArraySlice<StageOperation>
  private var posted: [(operation: StageOperation, transfer: Transfer, buffer: MessageBuffer)] = []

  /// - Parameter memory: room for the longest message that an operation can receive.
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
  /// - Throws: the transport's errors, and one where a message whose length does not depend on the batch has another one.
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
  /// Whether its messages have the length that there is room for, whatever the batch.
  fileprivate var hasOneLength: Bool { self == .sums || self == .norm || self == .columns }
}
