import SeededRandom
import TestSupport
import Testing
import Transport

@Suite struct MessageTests {
  private let ranks = InProcessTransport.job(size: 3)

  @Test func messagesOfOneTagArriveInTheirOrder() throws {
    for text in ["one", "two", "three"] {
      ranks[0].send(MessageBuffer(text: text), to: 1, tag: Tag(5))
    }
    let buffers = (0..<3).map { _ in MessageBuffer(count: 8) }
    let receives = buffers.map { ranks[1].receive(into: $0, from: 0, tag: Tag(5)) }
    let texts = try zip(buffers, receives).map { $0.text(try $1.wait(timeout: .seconds(0))) }
    #expect(texts == ["one", "two", "three"])
  }

  @Test func receivesPostedAheadMeetMessagesOfTheirTagAndSender() throws {
    let buffers = (0..<3).map { _ in MessageBuffer(count: 8) }
    let receives = [
      ranks[1].receive(into: buffers[0], from: 0, tag: Tag(1)),
      ranks[1].receive(into: buffers[1], from: 0, tag: Tag(2)),
      ranks[1].receive(into: buffers[2], from: 2, tag: Tag(1)),
    ]
    ranks[2].send(MessageBuffer(text: "2, 1"), to: 1, tag: Tag(1))
    ranks[0].send(MessageBuffer(text: "0, 2"), to: 1, tag: Tag(2))
    ranks[0].send(MessageBuffer(text: "0, 1"), to: 1, tag: Tag(1))
    let texts = try zip(buffers, receives).map { $0.text(try $1.wait(timeout: .seconds(0))) }
    #expect(texts == ["0, 1", "0, 2", "2, 1"])
  }

  @Test func aSendEndsWhenItsReceiveHasTheBytes() throws {
    let send = ranks[0].send(MessageBuffer(text: "x"), to: 1, tag: Tag(0))
    #expect(!send.isEnded)
    let receive = ranks[1].receive(into: MessageBuffer(count: 1), from: 0, tag: Tag(0))
    #expect(send.isEnded && receive.isEnded)
    #expect(try send.wait(timeout: .seconds(0)) == 1)
    // Waiting again has no effect.
    #expect(try send.wait(timeout: .seconds(0)) == 1)
  }

  @Test func aMessageMayBeShorterThanItsReceiveButNotLonger() throws {
    let buffer = MessageBuffer(text: "abcdef")
    ranks[0].send(buffer, count: 2, to: 1, tag: Tag(0))
    ranks[0].send(buffer, to: 1, tag: Tag(0))
    ranks[0].send(buffer, count: 0, to: 1, tag: Tag(0))
    let into = MessageBuffer(count: 4)
    #expect(try ranks[1].receive(into: into, from: 0, tag: Tag(0)).wait(timeout: .seconds(0)) == 2)
    #expect(into.text(2) == "ab")
    let error = #expect(throws: TransportError.self) {
      try ranks[1].receive(into: into, count: 3, from: 0, tag: Tag(0)).wait(timeout: .seconds(0))
    }
    #expect(
      error?.description
        == "rank 1 waited for up to 3 bytes from rank 0 (tag 0); the message has 6 bytes")
    #expect(try ranks[1].receive(into: into, from: 0, tag: Tag(0)).wait(timeout: .seconds(0)) == 0)
  }

  @Test func aRankMaySendToItself() throws {
    ranks[2].send(MessageBuffer(text: "me"), to: 2, tag: Tag(Tag.maximum))
    let buffer = MessageBuffer(count: 2)
    try ranks[2].receive(into: buffer, from: 2, tag: Tag(Tag.maximum)).wait(timeout: .seconds(0))
    #expect(buffer.text(2) == "me")
  }

  /// Every rank sends every other rank 200 messages under 4 tags from its own thread. All are in flight at
  /// once, and each rank waits in a different order than messages were sent.
  @Test func manyMessagesAtOnce() throws {
    let sums = onEveryRank(InProcessTransport.job(size: 4)) { transport in
      var transfers: [Transfer] = []
      var inbound: [(expected: [UInt8], buffer: MessageBuffer, transfer: Transfer)] = []
      for peer in 0..<4 where peer != transport.rank {
        for number in 0..<200 {
          let payload = Self.payload(from: transport.rank, to: peer, number)
          transfers.append(
            transport.send(MessageBuffer(payload), to: peer, tag: Tag(number % 4)))
          let expected = Self.payload(from: peer, to: transport.rank, number)
          let buffer = MessageBuffer(count: 64)
          let transfer = transport.receive(into: buffer, from: peer, tag: Tag(number % 4))
          inbound.append((expected, buffer, transfer))
        }
      }
      for (expected, buffer, transfer) in inbound.shuffled(seed: UInt64(transport.rank)) {
        guard buffer.prefix(try transfer.wait(timeout: .seconds(30))) == expected else { return false }
      }
      for transfer in transfers { try transfer.wait(timeout: .seconds(30)) }
      return true
    }
    for sum in sums { #expect(try sum.get()) }
  }

  private static func payload(from source: Int, to destination: Int, _ number: Int) -> [UInt8] {
    var generator = SeededGenerator(seed: UInt64(number), stream: UInt64(source * 4 + destination))
    return (0..<generator.below(64)).map { _ in UInt8(generator.below(256)) }
  }
}
