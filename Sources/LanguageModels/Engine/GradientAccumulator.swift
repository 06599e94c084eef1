import Tensor

/// Computes the gradient of one optimiser step on one device. Each worker computes one micro-batch at a time.
///
/// The result does not depend on the number of workers: the micro-batches' gradients and losses are added in
/// their order.
package final class GradientAccumulator: @unchecked Sendable {
  // Unchecked: `step` is not called from two threads at once, and each worker has its own memory.
  private let adapter: DeviceAdapter
  private let contexts: [Context]
  /// The gradient of the last step.
  package let gradients: GradientBuffer

  private struct Context: Sendable {
    let pass: LlamaContext
    let gradients: GradientBuffer
  }

  /// Allocates buffers for micro-batches of at most `rows` rows.
  package init(_ model: LlamaModel, adapter: DeviceAdapter, rows: Int) {
    self.adapter = adapter
    gradients = GradientBuffer(adapter.layout, device: model.device)
    contexts = (0..<model.device.workerCount).map { _ in
      Context(
        pass: LlamaContext(model, adapter: adapter, rows: rows, backward: true),
        gradients: GradientBuffer(adapter.layout, device: model.device))
    }
  }

  /// Bytes of activations, scratch and gradients, planned and allocated once.
  package var byteCount: Int {
    contexts.reduce(gradients.flat.count * 4) {
      $0 + $1.pass.byteCount + $1.gradients.flat.count * 4
    }
  }

  /// The sum of -log p over all labels; leaves `scale` times its gradient in ``gradients``.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func step(_ batches: [PackedBatch], scale: Float) throws -> Double {
    let gate = OrderedGate()
    let losses = try contexts[0].pass.model.device.mapItems(batches.count) { number, worker in
      let context = contexts[worker]
      let loss = Result { try run(batches[number], scale: scale, context) }
      gate.pass(number) {
        guard case .success = loss else { return }
        let operations = context.pass.worker.operations
        if number == 0 {
          operations.copy(context.gradients.flat, into: gradients.flat)
        } else {
          operations.add(context.gradients.flat, to: gradients.flat)
        }
      }
      return try loss.get()
    }
    return losses.reduce(0, +)
  }

  private func run(_ batch: PackedBatch, scale: Float, _ context: Context) throws -> Double {
    let (stage, pass) = (context.pass.model.stage, context.pass)
    let rows = batch.targetRows
    _ = try pass.forward(batch, outputRows: rows)
    let loss = stage.loss(batch, pass.activations, scale: scale, pass.worker)
    stage.backward(
      batch, pass.activations, outputRows: rows, adapter: adapter, gradients: context.gradients, pass.worker)
    return loss
  }
}
