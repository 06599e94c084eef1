import Foundation
import TestSupport
import Testing
import Transport

/// Messages that another rank could not have sent with this version of the program.
@Suite struct HostileMessageTests {
  private func refused(
    _ send: @escaping @Sendable (InProcessTransport) throws -> Void,
    _ receive: @escaping @Sendable (InProcessTransport) throws -> Void
  ) throws -> String {
    let results = onEveryRank(InProcessTransport.job(size: 2)) { rank in
      try rank.rank == 1 ? send(rank) : receive(rank)
    }
    let error = #expect(throws: TransportError.self) { try results[0].get() }
    return error?.description ?? ""
  }

  private static func announce(_ count: UInt64, _ bytes: Int, _ transport: InProcessTransport) {
    let length = MessageBuffer(count: 8)
    length.bytes.storeBytes(of: count, as: UInt64.self)
    transport.send(length, to: 0, tag: .gather)
    transport.send(MessageBuffer(count: bytes), to: 0, tag: .gather)
  }

  @Test(arguments: [UInt64.max, 1 << 63, 1 << 62] as [UInt64])
  func aLengthBeyondMemory(_ count: UInt64) throws {
    let text = try refused {
      Self.announce(count, 0, $0)
    } _: {
      _ = try $0.receiveCounted(from: 1, tag: .gather, limit: .max, timeout: .seconds(5))
    }
    #expect(text.contains("it announces \(count) bytes"))
  }

  @Test func aLengthBeyondTheLimit() throws {
    let text = try refused {
      Self.announce(25, 25, $0)
    } _: {
      _ = try $0.receiveCounted(from: 1, tag: .gather, limit: 24, timeout: .seconds(5))
    }
    #expect(text.contains("it announces 25 bytes"))
  }

  @Test func aLengthThatIsNotThePayloads() throws {
    let text = try refused {
      Self.announce(1 << 30, 3, $0)
    } _: {
      _ = try $0.receiveCounted(from: 1, tag: .gather, limit: .max, timeout: .seconds(5))
    }
    #expect(text.contains("it has 3 bytes, not the \(1 << 30) announced"))
  }

  @Test(arguments: ["", "[", "{\"host\": 3}", "\u{FF}"])
  func whatIsNotTheJSONExpected(_ sent: String) throws {
    let text = try refused {
      _ = try $0.gather(Array(sent.utf8), timeout: .seconds(5))
    } _: {
      try JobAgreement(host: "a", facts: []).confirm(over: $0, timeout: .seconds(5))
    }
    #expect(text.contains("its facts from rank 1"))
  }

  @Test func aProfileOfMoreThanItsSizes() throws {
    var profiler = LinkProfiler()
    (profiler.sizes, profiler.timeout) = ([0, 64], .seconds(5))
    let asked = profiler
    let text = try refused {
      let request = MessageBuffer(count: 8)
      request.bytes.storeBytes(of: Int64(1 << 40), as: Int64.self)
      $0.send(request, to: 0, tag: .profile)
    } _: {
      _ = try asked.measure(over: $0)
    }
    #expect(text.contains("it asks for \(1 << 40) bytes"))
  }
}
