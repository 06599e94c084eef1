import Tensor

/// What one thread needs for passes through a whole model with an adapter's columns: operations, scratch and
/// activations for batches of at most a given number of rows.
struct LlamaContext: Sendable {
  let model: LlamaModel
  let adapter: DeviceAdapter?
  let worker: StageWorker
  let activations: StageActivations

  init(_ model: LlamaModel, adapter: DeviceAdapter?, rows: Int, backward: Bool) {
    (self.model, self.adapter) = (model, adapter)
    worker = StageWorker(model.stage, rows: rows, adapter: adapter, backward: backward)
    activations = StageActivations(model.stage, rows: rows, adapter: adapter, keepsActivations: backward)
  }

  /// Bytes allocated.
  var byteCount: Int { worker.byteCount + activations.byteCount }

  /// The output of the last block, `[paddedRowCount, hidden]` float32; see ``LlamaStage`` for `stores` and
  /// `outputRows`.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  func forward(
    _ batch: PackedBatch, stores: [KeyValueStore]? = nil, outputRows: [Int]? = nil
  ) throws -> Matrix {
    let h = activations.hidden.rows(0..<batch.paddedRowCount)
    try model.stage.embed(batch.tokens, into: h, worker.operations)
    model.stage.forward(
      batch, activations, stores: stores, outputRows: outputRows, adapter: adapter, worker)
    return h
  }
}
