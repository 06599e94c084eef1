import ContextGear
import Transport

/// The messages a rank receives in a window, asked for a few ahead so that they arrive while it computes.
package struct Inbox {
  /// Receives posted ahead: while one message is used the next ones may arrive.
  private static let ahead = 4

  private let link: StageLink
  private let memory: (Operation) -> MessageBuffer
  private var coming: ArraySlice<Operation>
  private var posted: [(message: Int32, transfer: Transfer, buffer: MessageBuffer)] = []

  /// - Parameter memory: room for the longest message that an operation can receive.
  package init(
    _ link: StageLink, _ operations: ArraySlice<Operation>, memory: @escaping (Operation) -> MessageBuffer
  ) {
    self.link = link
    self.memory = memory
    coming = operations.filter { $0.kind == .receive }[...]
    for _ in 0..<Self.ahead { post() }
  }

  private mutating func post() {
    guard let operation = coming.popFirst() else { return }
    let buffer = memory(operation)
    let transfer = link.transport.receive(
      into: buffer, from: Int(operation.peer), tag: StageLink.tag(operation.message))
    posted.append((operation.message, transfer, buffer))
  }

  /// Waits for the next message of the list.
  ///
  /// - Throws: the transport's errors, and one where gradients of replicas have another length than they should.
  package mutating func next(_ operation: Operation) throws -> MessageBuffer {
    let (message, transfer, buffer) = posted.removeFirst()
    precondition(message == operation.message, "messages out of order")
    post()
    let count = try transfer.wait(seconds: link.deadline)
    // These messages have one length, and their memory may hold an earlier one.
    guard operation.payload != .sums || count == buffer.count else {
      throw TransportError.wrongLength(
        rank: link.transport.rank, waitingFor: transfer.description, peer: transfer.peer,
        detail: "gradients of \(buffer.count) bytes came as \(count)")
    }
    return buffer
  }
}
