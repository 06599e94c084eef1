/// One operation of a device.
package enum StageOperation: Hashable, Sendable {
  /// A micro-batch's pass through the stage's layers.
  case forward(MicroBatchPass)
  /// The backward pass of a micro-batch through the stage's layers.
  case backward(MicroBatchPass)
  /// The optimiser step, counted from 0, on the stage's trained columns.
  case update(step: Int)
  /// Hands a message to the network; the device continues at once.
  case send(Message)
  /// Waits until a message has arrived. The receive was posted in advance.
  case receive(Message)

  /// One pass of one micro-batch.
  package struct MicroBatchPass: Hashable, Sendable, CustomStringConvertible {
    /// The optimiser step, from 0.
    package var step: Int
    /// The pass: its index in `forwardOnly`, or `forwardOnly.count` for the trained one.
    package var pass: Int
    /// The micro-batch within the step, from 0.
    package var microBatch: Int

    /// `0.1.3`: step, pass, micro-batch.
    package var description: String { "\(step).\(pass).\(microBatch)" }
  }

  /// A message between two devices.
  package struct Message: Hashable, Sendable, CustomStringConvertible {
    package var content: Content
    /// The device at the other end.
    package var peer: Int
    /// Unique within the schedule.
    package var number: Int
    /// Its length.
    package var bytes: Int

    /// `0.1.3 activation #17`.
    package var description: String { "\(content) #\(number)" }
  }

  /// The content of a message.
  package enum Content: Hashable, Sendable, CustomStringConvertible {
    /// The residual stream of a micro-batch.
    case activation(MicroBatchPass)
    /// Its gradient.
    case gradient(MicroBatchPass)
    /// The predicted answers of a micro-batch's samples.
    case answers(MicroBatchPass)
    /// Refined columns after the update of a step, for forward-only passes.
    case columns(after: Int)
    /// For clipping: a stage's loss and squared norms on the way to the first stage, the total loss and norm
    /// on the way back.
    case norm(step: Int)
    /// Gradients of trained columns, between replicas.
    case sums(step: Int)

    /// Whether these are gradients between replicas, which a device copies or adds before it continues.
    package var isSums: Bool { if case .sums = self { true } else { false } }

    package var description: String {
      switch self {
      case .activation(let pass): "\(pass) activation"
      case .gradient(let pass): "\(pass) gradient"
      case .answers(let pass): "\(pass) answers"
      case .columns(let step): "\(step) columns"
      case .norm(let step): "\(step) norm"
      case .sums(let step): "\(step) sums"
      }
    }
  }
}

/// The operations of each device in order. The simulator prices a schedule, an executor runs it.
package struct Schedule: Hashable, Sendable {
  /// A stage with its position in the model and its group.
  package struct Stage: Hashable, Sendable {
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

extension StageOperation: CustomStringConvertible {
  /// `forward 0.1.3` (step, pass, micro-batch) or `send 0.1.3 activation #17 to 2, 4096 B`.
  package var description: String {
    switch self {
    case .forward(let pass): "forward \(pass)"
    case .backward(let pass): "backward \(pass)"
    case .update(let step): "update \(step)"
    case .send(let message): "send \(message) to \(message.peer), \(message.bytes) B"
    case .receive(let message): "receive \(message) from \(message.peer), \(message.bytes) B"
    }
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
