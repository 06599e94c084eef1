/// One thing a device does.
package struct Operation: Hashable, Sendable {
  /// What it is.
  package enum Kind: String, Sendable, CaseIterable {
    /// A micro-batch through the stage's layers.
    case forward
    /// Its gradients back through them.
    case backward
    /// A message is handed to the network; the device goes on at once.
    case send
    /// A message must have arrived before the device goes on. It was asked for ahead.
    case receive
    /// The optimiser's step over the stage's trained columns.
    case update
  }

  /// What a message carries.
  package enum Payload: String, Sendable, CaseIterable {
    case none
    /// The residual stream of a micro-batch.
    case activation
    /// Its gradient.
    case gradient
    /// The answers of a micro-batch's samples.
    case answers
    /// Refined columns for forward-only passes.
    case columns
    /// A stage's loss and squared norms, for clipping; back come the loss and the norm of all.
    case norm
    /// Gradients of trained columns, between replicas.
    case sums
  }

  /// What it is.
  package var kind: Kind
  /// What the message carries.
  package var payload: Payload = .none
  /// The optimiser step, from 0.
  package var step: Int32
  /// The pass: its place in `forwardOnly`, or their count for the trained one.
  package var pass: Int32 = 0
  /// The micro-batch of the step, from 0.
  package var microBatch: Int32 = 0
  /// The stage in the schedule's list.
  package var stage: Int32
  /// The other device of a message.
  package var peer: Int32 = -1
  /// The message's number, unique in the schedule.
  package var message: Int32 = -1
  /// The message's length.
  package var bytes: Int = 0
}

/// For each device the operations in the order it does them: data that the simulator prices and that an
/// executor runs.
package struct Schedule: Codable, Hashable, Sendable {
  /// A stage with its place in the model and in its group.
  package struct Stage: Codable, Hashable, Sendable {
    /// The device.
    package var device: Int
    /// The first layer and one past the last.
    package var first, end: Int
    /// The pipeline it belongs to.
    package var pipeline: Int
    /// Whether it belongs to `D_t`.
    package var trains: Bool
    /// Samples of its micro-batches.
    package var microBatch: Int
    /// Micro-batches it holds at once for the backward pass.
    package var inFlight: Int
  }

  /// The number of devices of the cluster.
  package var deviceCount: Int
  /// Optimiser steps.
  package var steps: Int
  /// Every stage; each is on a device of its own.
  package var stages: [Stage]
  /// All operations: those of `stages[0]`, then those of `stages[1]`, and so on.
  package var operations: [Operation]
  /// Where each stage's operations start; one more for the end.
  package var starts: [Int]
  /// The numbers of messages are below it.
  package var messageLimit: Int

  /// Bytes before the gradients in a message between replicas: two numbers of eight bytes, loss and tokens on the
  /// way to the root, loss and norm on the way back.
  package static let sumsHeaderBytes = 16

  /// One stage's operations in order.
  package func operations(of stage: Int) -> ArraySlice<Operation> {
    operations[starts[stage]..<starts[stage + 1]]
  }
}

extension Operation: CustomStringConvertible, Codable {
  /// `forward 0.1.3`: step, pass and micro-batch; `send 0.1.3 activation #17 to 2, 4096 B`.
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

  /// Reads a list: kind, payload, then the numbers.
  package init(from decoder: any Decoder) throws {
    var list = try decoder.unkeyedContainer()
    let (kind, payload) = (
      Kind(rawValue: try list.decode(String.self)), Payload(rawValue: try list.decode(String.self))
    )
    guard let kind, let payload else {
      throw decoder.refusal(decoder.codingPath, "is no operation", "make the schedule anew")
    }
    self.init(
      kind: kind, payload: payload, step: try list.decode(Int32.self), pass: try list.decode(Int32.self),
      microBatch: try list.decode(Int32.self), stage: try list.decode(Int32.self),
      peer: try list.decode(Int32.self), message: try list.decode(Int32.self),
      bytes: try list.decode(Int.self))
  }

  /// Writes what `init(from:)` reads.
  package func encode(to encoder: any Encoder) throws {
    var list = encoder.unkeyedContainer()
    try list.encode(kind.rawValue)
    try list.encode(payload.rawValue)
    for number in [step, pass, microBatch, stage, peer, message] { try list.encode(number) }
    try list.encode(bytes)
  }
}

extension Schedule: CustomStringConvertible {
  /// A paragraph a stage, an operation a line.
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
