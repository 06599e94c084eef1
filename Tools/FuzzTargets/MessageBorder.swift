import ContextGear
import ContextLoRA
import Foundation
import LanguageModels
import Locking
import PipelinedTraining
import TestSupport
import TrainingFixtures
import Transport

/// What a rank receives from another one. A tiny training runs over three ranks of this process, and one
/// message of it is changed: ranks 0 and 2 train, rank 1 answers.
enum MessageBorder {
  static func messages(_ bytes: [UInt8]) throws {
    guard bytes.count >= 4 else { return }
    let change = Change(
      rank: Int(bytes[0]) % 3, number: Int(bytes[1]) | Int(bytes[2] & 1) << 8, kind: bytes[3],
      payload: Array(bytes.dropFirst(4)))
    let file = Scratch.file("cluster.checkpoint", [])
    let results = onEveryRank(InProcessTransport.job(size: 3)) { endpoint in
      do {
        try train(ChangingTransport(endpoint, change), to: file)
      } catch {
        endpoint.abort("\(error)", blaming: nil, code: 1)
        throw error
      }
    }
    for result in results {
      if case .failure(let error) = result, error is NotFinished { fatalError("a rank waits for ever") }
      try result.get()
    }
  }

  private static func train(_ transport: ChangingTransport, to file: URL) throws {
    let tiny = try TinyWorkflow(frozenRatio: 0.5, workers: 1)
    var options = tiny.options
    (options.epochs, options.microBatchSamples, options.staleness, options.checkpointEvery) = (1, 2, 1, 2)
    options.validation = TrainingOptions.Validation(every: 2, patience: 1)
    let plan = Plan(
      order: .oneForwardOneBackward, overlap: true,
      pipelines: [
        Plan.Pipeline(
          trained: [Plan.Stage(device: 0, layers: 0..<1), Plan.Stage(device: 2, layers: 1..<3)],
          forward: [Plan.Stage(device: 1, layers: 0..<3)], samples: 4, microBatch: 2, shared: 0)
      ])
    let configuration = tiny.stage.configuration
    let executor = PipelineExecutor(
      StageLink(transport, wire: .int8, timeout: .seconds(3)), schedule: tiny.schedule,
      plans: Dictionary(uniqueKeysWithValues: tiny.schedule.graph.tasks.map { ($0, plan) }),
      shape: ModelShape(
        layers: configuration.layerCount, hidden: configuration.hiddenSize, heads: 1, keyValueHeads: 1,
        headDimension: 1, feedForward: 1, vocabulary: 1),
      adapter: tiny.adapter, samples: TinyChoices(tiny, share: 0.7, wholeModel: false, heldOut: 50..<53),
      options: options, device: tiny.stage.device
    ) { layers, _ in try TinyWorkflow(frozenRatio: 0.5, workers: 1, layers: layers).stage }
    try JobAgreement(host: "h\(transport.rank)", facts: [JobAgreement.Fact("the model", "m", remedy: "none")])
      .confirm(over: transport, timeout: .seconds(3))
    _ = try WorkflowTrainer(executor, schedule: tiny.schedule, options: options).run(
      to: CheckpointDestination(url: file, workflow: "w", model: "m")
    ) { _ in }
  }
}

/// How one message is changed.
private struct Change: Sendable {
  /// The rank that receives it.
  let rank: Int
  /// Its number among those that the rank receives.
  let number: Int
  /// What changes: 0 the first bytes, 1 bytes after the first 8, 2 all bytes, 3 the last bytes; with 0x80 also
  /// the length, to the first two bytes of the payload.
  let kind: UInt8
  let payload: [UInt8]

  /// Changes a message of `count` bytes, and returns its new length.
  func apply(_ bytes: UnsafeMutableRawBufferPointer, count: Int) -> Int {
    let start: Int
    switch kind & 3 {
    case 0, 2: start = 0
    case 1: start = min(8, count)
    default: start = max(0, count - payload.count)
    }
    if !payload.isEmpty {
      for index in start..<(kind & 3 == 2 ? count : min(count, start + payload.count)) {
        bytes[index] = payload[(index - start) % payload.count]
      }
    }
    guard kind & 0x80 != 0, payload.count >= 2 else { return count }
    return min(bytes.count, Int(payload[0]) | Int(payload[1]) << 8)
  }
}

/// A rank's end of a transport that changes one of the messages that it receives.
private final class ChangingTransport: Transport {
  private let base: InProcessTransport
  private let change: Change
  private let received = Locked(0)

  init(_ base: InProcessTransport, _ change: Change) { (self.base, self.change) = (base, change) }

  var rank: Int { base.rank }
  var size: Int { base.size }

  func start(_ transfer: Transfer) {
    guard transfer.direction == .receive, rank == change.rank,
      received.withLock({ count in
        defer { count += 1 }
        return count == change.number
      })
    else { return base.start(transfer) }
    let inner = Transfer(
      .receive, rank: transfer.rank, peer: transfer.peer, tag: transfer.tag, buffer: transfer.buffer,
      count: transfer.count)
    base.start(inner)
    Thread { [change] in
      do throws(TransportError) {
        let count = try inner.wait(timeout: .seconds(30))
        transfer.end(.success(change.apply(transfer.buffer.bytes, count: count)))
      } catch {
        transfer.end(.failure(error))
      }
    }.start()
  }

  func abort(_ message: String, blaming suspect: Int?, code: Int32) {
    base.abort(message, blaming: suspect, code: code)
  }
}
