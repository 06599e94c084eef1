import Tensor

extension LlamaStage {
  /// The logits `[tokens.count, vocabulary]` after every token of one sequence, as the base model or with
  /// an adapter's columns: for checks and for looking at a model, not for training.
  ///
  /// - Precondition: the stage is a whole model and its context holds the tokens.
  /// - Throws: what the weight source throws when embeddings cannot be read.
  public func allLogits(_ tokens: [Int32], adapter: AdapterView? = nil) throws -> [[Float]] {
    precondition(isFirst && isLast && tokens.count <= contextLength, "allLogits: part of a model")
    let worker = StageWorker(self, rows: tokens.count, adapter: adapter, backward: false)
    let activations = StageActivations(self, rows: tokens.count, adapter: adapter, keepsActivations: false)
    let batch = PackedBatch(
      tokens: tokens, segments: [AttentionSegment(row: 0, count: tokens.count)], targets: [])
    let h = activations.hidden.rows(0..<batch.paddedRowCount)
    try embed(tokens, into: h, worker.operations)
    forward(batch, activations, adapter: adapter, worker)
    let flat = logits(rows: Array(tokens.indices), hidden: h, worker)
    return tokens.indices.map {
      Array(flat[$0 * configuration.vocabularySize..<($0 + 1) * configuration.vocabularySize])
    }
  }
}
