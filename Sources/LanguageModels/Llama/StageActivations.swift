import Tensor

/// The buffers of one micro-batch in flight: activations that the forward pass of a stage stores for its
/// backward pass.
///
/// Unchecked: used by one worker at a time.
package final class StageActivations: @unchecked Sendable {
  /// The capacity in rows.
  package let rows: Int
  private let memory: DeviceMemory
  let blocks: [TransformerBlock.Activations]
  /// The residual stream, `[rows, hidden]` float32: the stage's input before the forward pass, its output
  /// afterwards.
  package let hidden: Matrix
  /// Its gradient, `[rows, hidden]` float32.
  package let hiddenGradient: Matrix

  /// Allocates a stage's activations for at most `rows` rows. Each layer from the lowest adapted one on has
  /// its own buffers. The layers below it share one layer's buffers, as do all layers if there is no backward
  /// pass.
  package init(_ stage: LlamaStage, rows: Int, adapter: DeviceAdapter?, keepsActivations: Bool = true) {
    self.rows = PackedBatch.padded(rows)
    // Without an adapter, all gradients may be wanted. An adapter without target modules here is for layers
    // above this stage.
    let lowest =
      keepsActivations
      ? adapter.map { $0.modules.first?.layer ?? stage.layers.upperBound } ?? 0 : stage.layers.upperBound
    (memory, (blocks, hidden, hiddenGradient)) = stage.allocate(
      rows: PackedBatch.padded(rows), adapter: adapter, backward: keepsActivations
    ) { plan in
      var shared: TransformerBlock.Activations?
      let blocks = stage.layers.map { layer in
        if layer < lowest, let shared { return shared }
        let own = TransformerBlock.Activations(&plan)
        if layer < lowest { shared = own }
        return own
      }
      let hidden = plan.configuration.hiddenSize
      return (blocks, plan.matrix(hidden, .float32), plan.gradient(hidden, .float32))
    }
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }
}
