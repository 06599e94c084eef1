import ContextGear
import Transport

/// The messages a rank receives in a window, asked for a few ahead so that they arrive while it computes.
struct Inbox {
  /// Receives posted ahead: while one message is used the next ones may arrive.
  private static let ahead = 4

  private let link: StageLink
  private let capacity: (Operation) -> Int
  private var coming: ArraySlice<Operation>
  private var posted: [(message: Int32, transfer: Transfer, buffer: MessageBuffer)] = []

  /// - Parameter capacity: the most bytes that a message can have.
  init(_ link: StageLink, _ operations: ArraySlice<Operation>, capacity: @escaping (Operation) -> Int) {
    self.link = link
    self.capacity = capacity
    coming = operations.filter { $0.kind == .receive }[...]
    for _ in 0..<Self.ahead { post() }
  }

  private mutating func post() {
    guard let operation = coming.popFirst() else { return }
    let buffer = MessageBuffer(count: capacity(operation))
    let transfer = link.transport.receive(
      into: buffer, from: Int(operation.peer), tag: StageLink.tag(operation.message))
    posted.append((operation.message, transfer, buffer))
  }

  /// Waits for the next message of the list.
  ///
  /// - Throws: the transport's errors.
  mutating func next(_ operation: Operation) throws -> MessageBuffer {
    let (message, transfer, buffer) = posted.removeFirst()
    precondition(message == operation.message, "messages out of order")
    post()
    try transfer.wait(seconds: link.deadline)
    return buffer
  }
}
