/// How the ranks of a job send each other bytes.
///
/// A message has a sender, a receiver and a tag. Messages with the same sender, receiver and tag arrive in
/// the order in which they were sent, and match receives in the order in which those were posted. Only
/// `Transfer.wait` blocks, always with a timeout.
///
/// A conforming type implements `start` and `abort`; sending, receiving and the collective operations are
/// built on those.
package protocol Transport: Sendable {
  /// This process's rank, in `0 ..< size`.
  var rank: Int { get }
  /// The number of ranks in the job.
  var size: Int { get }

  /// Starts a transfer and returns at once. The transfer's `wait` reports the outcome.
  func start(_ transfer: Transfer)

  /// Ends the whole job because this rank cannot continue: every rank's waits fail, or the ranks are ended.
  ///
  /// - Parameters:
  ///   - message: why, in one line; the transport adds this rank's number.
  ///   - suspect: the rank to blame, if it is not this one.
  ///   - code: the job's exit code.
  func abort(_ message: String, blaming suspect: Int?, code: Int32)
}

extension Transport {
  /// Ends the whole job because of this rank itself.
  package func abort(_ message: String, code: Int32) { abort(message, blaming: nil, code: code) }

  /// Posts a receive in advance of the message.
  ///
  /// - Parameters:
  ///   - buffer: receives the bytes; must not be read before the transfer has been waited for.
  ///   - count: the maximum number of bytes, by default the buffer's size. A shorter message is fine
  ///     (`Transfer.wait` returns its length), a longer one is an error.
  ///   - source: the sending rank.
  ///   - tag: the message's tag.
  /// - Precondition: `source` is a rank, and `count` is at most the buffer's size.
  package func receive(
    into buffer: MessageBuffer, count: Int? = nil, from source: Int, tag: Tag
  ) -> Transfer {
    precondition(0..<size ~= source, "rank \(source) of \(size)")
    let transfer = Transfer(.receive, rank: rank, peer: source, tag: tag, buffer: buffer, count: count)
    start(transfer)
    return transfer
  }

  /// Sends the first `count` bytes of a buffer without waiting.
  ///
  /// - Parameters:
  ///   - buffer: the bytes; must not be written before the transfer has been waited for.
  ///   - count: the number of bytes, by default all.
  ///   - destination: the receiving rank.
  ///   - tag: the message's tag.
  /// - Precondition: `destination` is a rank, and `count` is at most the buffer's size.
  @discardableResult
  package func send(
    _ buffer: MessageBuffer, count: Int? = nil, to destination: Int, tag: Tag
  ) -> Transfer {
    precondition(0..<size ~= destination, "rank \(destination) of \(size)")
    let transfer = Transfer(.send, rank: rank, peer: destination, tag: tag, buffer: buffer, count: count)
    start(transfer)
    return transfer
  }
}

/// Distinguishes the messages between two ranks.
package struct Tag: Sendable, Hashable, CustomStringConvertible {
  /// The largest tag that a user of the transport may choose.
  package static let maximum = (1 << 20) - 1

  /// The number on the wire; numbers above `maximum` are the transport's own.
  package let number: Int32

  /// - Precondition: `number` is in `0 ... Tag.maximum`.
  package init(_ number: Int) {
    precondition(0...Tag.maximum ~= number, "tag \(number) is outside 0...\(Tag.maximum)")
    self.number = Int32(number)
  }

  private init(own: Int) { number = Int32(Tag.maximum + 1 + own) }

  package static let barrier = Tag(own: 0)
  package static let release = Tag(own: 1)
  package static let broadcast = Tag(own: 2)
  package static let gather = Tag(own: 3)
  package static let profile = Tag(own: 4)
  package static let heartbeat = Tag(own: 5)
  package static let largest = heartbeat

  /// `tag 7`, or the name of one of the transport's own tags.
  package var description: String {
    switch self {
    case .barrier: "barrier"
    case .release: "end of the barrier"
    case .broadcast: "broadcast"
    case .gather: "gather"
    case .profile: "link profile"
    case .heartbeat: "heartbeat"
    default: "tag \(number)"
    }
  }
}
