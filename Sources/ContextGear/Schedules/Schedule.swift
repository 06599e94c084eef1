/// One operation of a device.
package struct StageOperation: Hashable, Sendable {
  package enum Kind: String, Sendable, CaseIterable {
    /// A micro-batch's pass through the stage's layers.
    case forward
    /// The pass of its gradients back through them.
    case backward
    /// Hands a message to the network; the device continues at once.
    case send
    /// Waits until a message has arrived. The receive was posted in advance.
    case receive
    /// The optimiser step on the stage's trained columns.
    case update
  }

  /// The content of a message.
  package enum Payload: String, Sendable, CaseIterable {
    case none
    /// The residual stream of a micro-batch.
    case activation
    /// Its gradient.
    case gradient
    /// The predicted answers of a micro-batch's samples.
    case answers
    /// Refined columns for forward-only passes.
    case columns
    /// For clipping: a stage's loss and squared norms on the way to the first stage, the total loss and norm
    /// on the way back.
    case norm
    /// Gradients of trained columns, between replicas.
    case sums
  }

  package var kind: Kind
  /// The content of the message.
  package var payload: Payload = .none
  /// The optimiser step, from 0.
  package var step: Int32
  /// The pass: its index in `forwardOnly`, or `forwardOnly.count` for the trained one.
  package var pass: Int32 = 0
  /// The micro-batch within the step, from 0.
  package var microBatch: Int32 = 0
  /// The stage's index in the schedule's list.
  package var stage: Int32
  /// The device at the other end of a message.
  package var peer: Int32 = -1
  /// The message's number, unique within the schedule.
  package var message: Int32 = -1
  /// The message's length in bytes.
  package var bytes: Int = 0
}

/// The operations of each device in order. The simulator prices a schedule, an executor runs it.
package struct Schedule: Codable, Hashable, Sendable {
  /// A stage with its position in the model and its group.
  package struct Stage: Codable, Hashable, Sendable {
    /// The device's index in the cluster.
    package var device: Int
    /// The first layer, and one past the last.
    package var first, end: Int
    /// The index of its pipeline.
    package var pipeline: Int
    /// Whether it belongs to `D_t`.
    package var trains: Bool
    /// Samples per micro-batch.
    package var microBatch: Int
    /// Micro-batches it holds at once for the backward pass.
    package var inFlight: Int
  }

  /// The number of devices in the cluster.
  package var deviceCount: Int
  /// The number of optimiser steps.
  package var steps: Int
  /// All stages, each on a device of its own.
  package var stages: [Stage]
  /// All operations: those of `stages[0]`, then those of `stages[1]`, and so on.
  package var operations: [StageOperation]
  /// The index in `operations` at which each stage's operations start, followed by `operations.count`.
  package var starts: [Int]
  /// All message numbers are below this one.
  package var messageLimit: Int

  /// Bytes before the gradients in a message between replicas: two 8-byte numbers. On the way to the root
  /// they are the loss and the number of tokens, on the way back the loss and the norm.
  package static let sumsHeaderBytes = 16

  /// The operations of one stage, in order.
  package func operations(of stage: Int) -> ArraySlice<StageOperation> {
    operations[starts[stage]..<starts[stage + 1]]
  }
}

extension StageOperation: CustomStringConvertible, Codable {
  /// `forward 0.1.3` (step, pass, micro-batch) or `send 0.1.3 activation #17 to 2, 4096 B`.
  package var description: String {
    let place = "\(step).\(pass).\(microBatch)"
    switch kind {
    case .forward, .backward: return "\(kind.rawValue) \(place)"
    case .update: return "update \(step)"
    case .send, .receive:
      let way = kind == .send ? "to" : "from"
      return "\(kind.rawValue) \(place) \(payload.rawValue) #\(message) \(way) \(peer), \(bytes) B"
    }
  }

  /// Reads an array: kind, payload, then the numbers.
  package init(from decoder: any Decoder) throws {
    var list = try decoder.unkeyedContainer()
    let (kind, payload) = (
      Kind(rawValue: try list.decode(String.self)), Payload(rawValue: try list.decode(String.self))
    )
    guard let kind, let payload else {
      throw decoder.refusal(decoder.codingPath, "is not an operation", "make the schedule again")
    }
    self.init(
      kind: kind, payload: payload, step: try list.decode(Int32.self), pass: try list.decode(Int32.self),
      microBatch: try list.decode(Int32.self), stage: try list.decode(Int32.self),
      peer: try list.decode(Int32.self), message: try list.decode(Int32.self),
      bytes: try list.decode(Int.self))
  }

  /// Writes the array that `init(from:)` reads.
  package func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    try list.encode(kind.rawValue)
    try list.encode(payload.rawValue)
    for number in [step, pass, microBatch, stage, peer, message] { try list.encode(number) }
    try list.encode(bytes)
  }
}

extension Schedule: CustomStringConvertible {
  /// One paragraph per stage, one line per operation.
  package var description: String {
    stages.indices.map { index in
      let stage = stages[index]
      let role = stage.trains ? "trains" : "forward only"
      return
        (["device \(stage.device), layers \(stage.first)..<\(stage.end), \(role)"]
        + operations(of: index).map { "  \($0)" }).joined(separator: "\n")
    }.joined(separator: "\n") + "\n"
  }
}
