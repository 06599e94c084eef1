import Locking
import Synchronization
import Tensor

/// Computes the gradient of one optimiser step on one device. Each worker computes one micro-batch at a time.
///
/// The result does not depend on the number of workers: the micro-batches' gradients and losses are added in
/// their order.
package final class GradientAccumulator: @unchecked Sendable {
  // Unchecked: `step` is not called from two threads at once, and each worker has its own memory.
  private let stage: LlamaStage
  private let adapter: DeviceAdapter
  private let contexts: [Context]
  /// The gradient of the last step.
  package let gradients: GradientBuffer

  private struct Context {
    let worker: StageWorker
    let activations: StageActivations
    let gradients: GradientBuffer
  }

  /// Allocates buffers for micro-batches of at most `rows` rows.
  ///
  /// - Precondition: the stage is a whole model.
  package init(_ stage: LlamaStage, adapter: DeviceAdapter, rows: Int) {
    precondition(stage.isFirst && stage.isLast, "GradientAccumulator: part of a model")
    self.stage = stage
    self.adapter = adapter
    gradients = GradientBuffer(adapter.layout, device: stage.device)
    contexts = (0..<stage.device.workerCount).map { _ in
      Context(
        worker: StageWorker(stage, rows: rows, adapter: adapter),
        activations: StageActivations(stage, rows: rows, adapter: adapter),
        gradients: GradientBuffer(adapter.layout, device: stage.device))
    }
  }

  /// Bytes of activations, scratch and gradients, planned and allocated once.
  package var byteCount: Int {
    contexts.reduce(gradients.flat.count * 4) {
      $0 + $1.worker.byteCount + $1.activations.byteCount + $1.gradients.flat.count * 4
    }
  }

  /// The sum of -log p over all labels; leaves `scale` times its gradient in ``gradients``.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func step(_ batches: [PackedBatch], scale: Float) throws -> Double {
    let gate = OrderedGate()
    let next = Atomic<Int>(0)
    let state = Locked<State>(State())
    stage.device.onEachWorker { index in
      let context = contexts[index]
      while true {
        let number = next.add(1, ordering: .relaxed).oldValue
        guard number < batches.count else { return }
        var outcome: Result<Double, any Error> = .success(0)
        do {
          outcome = .success(try run(batches[number], scale: scale, context))
        } catch {
          outcome = .failure(error)
        }
        gate.pass(number) {
          switch outcome {
          case .success(let loss):
            state.withLock { $0.loss += loss }
            if number == 0 {
              context.worker.operations.copy(context.gradients.flat, into: gradients.flat)
            } else {
              context.worker.operations.add(context.gradients.flat, to: gradients.flat)
            }
          case .failure(let error):
            state.withLock { $0.failure = $0.failure ?? error }
          }
        }
      }
    }
    let result = state.withLock { $0 }
    if let failure = result.failure { throw failure }
    return result.loss
  }

  private struct State {
    var loss = 0.0
    var failure: (any Error)?
  }

  private func run(_ batch: PackedBatch, scale: Float, _ context: Context) throws -> Double {
    let h = context.activations.hidden.rows(0..<batch.paddedRowCount)
    try stage.embed(batch.tokens, into: h, context.worker.operations)
    let rows = batch.targetRows
    stage.forward(batch, context.activations, outputRows: rows, adapter: adapter, context.worker)
    let loss = stage.loss(batch, context.activations, scale: scale, context.worker)
    stage.backward(
      batch, context.activations, outputRows: rows, adapter: adapter, gradients: context.gradients,
      context.worker)
    return loss
  }
}
