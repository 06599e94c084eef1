import ContextGear
import Transport

/// The messages that a rank receives in a window. Receives are posted a few messages ahead, so that data
/// arrives while the rank computes.
package struct Inbox {
  /// The number of receives posted ahead, so that the next messages may arrive while one is used. Gradients
  /// of replicas are large and come once a step: one receive per sender is posted.
  private static let ahead = 4

  private let link: StageLink
  private let memory: (StageOperation.Message) -> MessageBuffer
  private var coming: ArraySlice<StageOperation.Message>
  private var posted: [(message: StageOperation.Message, transfer: Transfer, buffer: MessageBuffer)] = []

  /// - Parameter memory: provides a buffer for the longest form of a message.
  package init(
    _ link: StageLink, _ operations: ArraySlice<StageOperation>,
    memory: @escaping (StageOperation.Message) -> MessageBuffer
  ) {
    self.link = link
    self.memory = memory
    coming = operations.compactMap { if case .receive(let message) = $0 { message } else { nil } }[...]
    post()
  }

  private mutating func post() {
    while posted.count < Self.ahead, let message = coming.first {
      if message.content.isSums,
        posted.contains(where: { $0.message.content.isSums && $0.message.peer == message.peer })
      {
        return
      }
      coming.removeFirst()
      let buffer = memory(message)
      let transfer = link.transport.receive(
        into: buffer, from: message.peer, tag: StageLink.tag(message.number))
      posted.append((message, transfer, buffer))
    }
  }

  /// Waits for the next message of the list. Returns its buffer and its length, at most the buffer's.
  ///
  /// - Throws: the transport's errors, and `TransportError.invalidMessage` if a fixed-length message has another
  ///   length.
  package mutating func next(_ message: StageOperation.Message) throws -> (buffer: MessageBuffer, count: Int)
  {
    let (expected, transfer, buffer) = posted.removeFirst()
    precondition(expected.number == message.number, "messages out of order")
    post()
    let count = try transfer.wait(timeout: link.timeout)
    guard !message.content.hasOneLength || count == buffer.count else {
      throw link.transport.invalid(
        "\(message)", from: transfer.peer, "expected \(buffer.count) bytes, received \(count)")
    }
    return (buffer, count)
  }
}

extension StageOperation.Content {
  /// Whether its messages have a fixed length, independent of the batch.
  fileprivate var hasOneLength: Bool {
    switch self {
    case .sums, .norm, .columns: true
    case .activation, .gradient, .answers: false
    }
  }
}
