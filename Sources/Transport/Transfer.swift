/// One message under way: the handle that `send` and `receive` return.
///
/// It ends once, done or failed. Any thread may wait for it, more than once.
package final class Transfer: Sendable, CustomStringConvertible {
  /// Which end of the message this is.
  package enum Direction: Sendable { case send, receive }

  /// Whether this rank sends or receives.
  package let direction: Direction
  /// The rank that this handle belongs to.
  package let rank: Int
  /// The rank at the other end.
  package let peer: Int
  /// The message's tag.
  package let tag: Tag
  /// The number of bytes sent, or the maximum received.
  package let count: Int
  package let buffer: MessageBuffer

  private let result = Promise<Result<Int, TransportError>>()

  package init(
    _ direction: Direction, rank: Int, peer: Int, tag: Tag, buffer: MessageBuffer, count: Int?
  ) {
    let count = count ?? buffer.count
    precondition(0...buffer.count ~= count, "\(count) bytes of a buffer of \(buffer.count)")
    (self.direction, self.rank, self.peer, self.tag) = (direction, rank, peer, tag)
    (self.buffer, self.count) = (buffer, count)
  }

  /// Whether the transfer has ended, done or failed.
  package var isEnded: Bool { result.isKept }

  /// Waits until the transfer has ended.
  ///
  /// - Parameter timeout: from now. If it passes, the transfer stays in flight.
  /// - Returns: the message's length in bytes.
  /// - Throws: `TransportError` if the timeout passes, the peer is gone or the job is aborted.
  @discardableResult
  package func wait(timeout: Duration) throws(TransportError) -> Int {
    precondition(timeout >= .zero, "a timeout of \(timeout)")
    guard let result = result.wait(timeout: timeout) else {
      throw .timeout(rank: rank, waitingFor: description, peer: peer, after: timeout)
    }
    return try result.get()
  }

  /// Ends the transfer; only the first call counts.
  package func end(_ outcome: Result<Int, TransportError>) { result.keep(outcome) }

  /// `up to 4096 bytes from rank 2 (tag 7)`.
  package var description: String {
    switch direction {
    case .send: "\(count) bytes to be taken by rank \(peer) (\(tag))"
    case .receive: "up to \(count) bytes from rank \(peer) (\(tag))"
    }
  }
}
