import TestSupport
import Testing
import Transport

@Suite struct CollectiveTests {
  @Test(arguments: 1...9) func everyRankGetsEveryRootsBytes(size: Int) throws {
    let outcomes = onEveryRank(InProcessTransport.job(size: size)) { transport in
      try (0..<size).map { root in
        let mine = transport.rank == root ? Self.payload(root) : [99]
        return try transport.broadcast(mine, from: root, timeout: .seconds(30))
      }
    }
    for outcome in outcomes { #expect(try outcome.get() == (0..<size).map(Self.payload)) }
  }

  @Test(arguments: 1...5) func theRootGathersInTheRanksOrder(size: Int) throws {
    let outcomes = onEveryRank(InProcessTransport.job(size: size)) { transport in
      try (0..<size).map { try transport.gather(Self.payload(transport.rank), to: $0, timeout: .seconds(30)) }
    }
    let all = (0..<size).map(Self.payload)
    for (rank, outcome) in outcomes.enumerated() {
      #expect(try outcome.get() == (0..<size).map { $0 == rank ? all : [] })
    }
  }

  @Test(arguments: 1...5) func barriersFollowOneAnother(size: Int) throws {
    let outcomes = onEveryRank(InProcessTransport.job(size: size)) { transport in
      for _ in 0..<20 { try transport.barrier(timeout: .seconds(30)) }
    }
    for outcome in outcomes { try outcome.get() }
  }

  private static func payload(_ rank: Int) -> [UInt8] { .init(repeating: UInt8(rank), count: rank * 3) }
}
