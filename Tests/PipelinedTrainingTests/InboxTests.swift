import ContextGear
import PipelinedTraining
import Testing
import Transport

@Suite struct InboxTests {
  private let ranks = InProcessTransport.job(size: 2)

  /// A message that the first of two stages (or, with `sums`, of two replicas) receives from the other.
  private func received(sums: Bool) throws -> StageOperation.Message {
    let shape = ModelShape(
      layers: 2, hidden: 10, heads: 1, keyValueHeads: 1, headDimension: 10, feedForward: 10, vocabulary: 10,
      rank: 1)
    let cluster = Cluster(
      name: "two",
      devices: ["a", "b"].map {
        Device(
          name: $0, memory: 1 << 40,
          speed: .measured(MeasuredTimes(layer: [.init(tokens: 10, forward: 1, backward: 2)])))
      }, networks: [Network(name: "net", shared: false, latency: 0, bandwidth: 1e9)])
    let stages = [
      Plan.Stage(device: 0, layers: 0..<(sums ? 2 : 1)),
      Plan.Stage(device: 1, layers: (sums ? 0 : 1)..<2),
    ]
    let pipelines = sums ? stages.map { [$0] } : [stages]
    let plan = Plan(
      order: .gpipe, overlap: true,
      pipelines: pipelines.map {
        Plan.Pipeline(trained: $0, forward: [], samples: 2 / pipelines.count, microBatch: 1, shared: 0)
      })
    let workload = Workload(
      forwardOnly: [], trained: Workload.Pass(task: "t", tokens: 10, labels: 10), samples: 2,
      trainedColumns: 1)
    let schedule = Planner(cluster, shape: shape).schedule(plan, workload, steps: 1)
    let messages = schedule.operations.compactMap { operation -> StageOperation.Message? in
      guard case .receive(let message) = operation, message.peer == 1 else { return nil }
      switch message.content {
      case .sums: return sums ? message : nil
      case .gradient: return sums ? nil : message
      default: return nil
      }
    }
    return try #require(messages.first)
  }

  /// The length received for a message of `bytes` bytes, into a buffer of 64 bytes.
  private func receive(sums: Bool, bytes: Int) throws -> Int {
    let message = try received(sums: sums)
    var inbox = Inbox(StageLink(ranks[0], timeout: .seconds(1)), [.receive(message)]) { _ in
      MessageBuffer(count: 64)
    }
    ranks[1].send(MessageBuffer(count: bytes), to: 0, tag: Tag(message.number))
    return try inbox.next(message).buffer.count
  }

  @Test func gradientsOfReplicasHaveOneLength() throws {
    let error = #expect(throws: TransportError.self) { try receive(sums: true, bytes: 60) }
    #expect(error?.description.contains("expected 64 bytes, received 60") == true)
    #expect(try receive(sums: true, bytes: 64) == 64)
  }

  @Test func ofGradientsOfReplicasOneIsAwaited() throws {
    let message = try received(sums: true)
    let operations = [StageOperation](repeating: .receive(message), count: 4)
    var outstanding = 0
    var most = 0
    var inbox = Inbox(StageLink(ranks[0], timeout: .seconds(1)), operations[...]) { _ in
      outstanding += 1
      most = max(most, outstanding)
      return MessageBuffer(count: 64)
    }
    for _ in 0..<4 {
      ranks[1].send(MessageBuffer(count: 64), to: 0, tag: Tag(message.number))
      _ = try inbox.next(message)
      outstanding -= 1
    }
    // One in use, one receive posted.
    #expect(most == 2)
  }

  @Test func gradientsOfASmallerBatchAreShorter() throws {
    #expect(try receive(sums: false, bytes: 60) == 64)
  }
}
