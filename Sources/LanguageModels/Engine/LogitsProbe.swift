import Tensor

extension LlamaStage {
  /// The logits `[tokens.count, vocabulary]` after every token of one sequence, as the base model or with an
  /// adapter's columns. For checks and inspection, not for training.
  ///
  /// - Precondition: the stage is a whole model, and the tokens fit its context.
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func allLogits(_ tokens: [Int32], adapter: DeviceAdapter? = nil) throws -> [[Float]] {
    try logits(tokens, after: Array(tokens.indices), adapter: adapter)
  }

  /// The logits `[positions.count, vocabulary]` after the tokens at some positions of one sequence.
  ///
  /// - Precondition: as for ``allLogits(_:adapter:)``; the positions are ascending.
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func logits(
    _ tokens: [Int32], after positions: [Int], adapter: DeviceAdapter? = nil
  ) throws -> [[Float]] {
    precondition(isFirst && isLast && tokens.count <= contextLength, "logits: part of a model")
    let worker = StageWorker(self, rows: tokens.count, adapter: adapter, backward: false)
    let activations = StageActivations(self, rows: tokens.count, adapter: adapter, keepsActivations: false)
    let batch = PackedBatch(
      tokens: tokens, segments: [AttentionSegment(row: 0, count: tokens.count)], targets: [])
    let h = activations.hidden.rows(0..<batch.paddedRowCount)
    try embed(tokens, into: h, worker.operations)
    forward(batch, activations, adapter: adapter, worker)
    let flat = logits(rows: positions, hidden: h, worker)
    return positions.indices.map {
      Array(flat[$0 * configuration.vocabularySize..<($0 + 1) * configuration.vocabularySize])
    }
  }
}
