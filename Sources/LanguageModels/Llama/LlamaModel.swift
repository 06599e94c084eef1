import Checkpoint
import Tensor

/// A whole Llama model on one device.
package struct LlamaModel: Sendable {
  /// All its layers.
  package let stage: LlamaStage

  /// Loads all weights; the parameters are those of ``LlamaStage``.
  ///
  /// - Throws: the source's error for a missing or damaged tensor.
  package init(
    _ source: any WeightSource, device: any ComputeDevice, contextLength: Int? = nil,
    use: PackedUse = .forwardAndBackward, firstAdapted: Int = 0
  ) throws {
    stage = try LlamaStage(
      source, layers: 0..<source.configuration.layerCount, device: device, contextLength: contextLength,
      use: use, firstAdapted: firstAdapted)
  }

  /// Its sizes.
  package var configuration: LlamaConfiguration { stage.configuration }
  /// The maximum sequence length.
  package var contextLength: Int { stage.contextLength }
  /// The device of its weights.
  package var device: any ComputeDevice { stage.device }

  /// Columns of an adapter, to compute with on the model's device.
  ///
  /// - Precondition: no columns are merged into the weights, or none of these is frozen.
  package func view(of adapter: LoRAAdapter, _ columns: ColumnView) -> DeviceAdapter {
    precondition(
      stage.lowestMerged == nil || columns.frozen.isEmpty, "frozen columns may be part of the weights already"
    )
    return DeviceAdapter(adapter, columns: columns, configuration: configuration, device: device)
  }

  /// The logits `[tokens.count, vocabulary]` after every token of one sequence, as the base model or with an
  /// adapter's columns. For checks and inspection, not for training.
  ///
  /// - Precondition: the tokens fit the context.
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func allLogits(_ tokens: [Int32], adapter: DeviceAdapter? = nil) throws -> [[Float]] {
    try logits(tokens, after: Array(tokens.indices), adapter: adapter)
  }

  /// The logits `[positions.count, vocabulary]` after the tokens at some positions of one sequence.
  ///
  /// - Precondition: the tokens fit the context; the positions are ascending.
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func logits(
    _ tokens: [Int32], after positions: [Int], adapter: DeviceAdapter? = nil
  ) throws -> [[Float]] {
    precondition(tokens.count <= contextLength, "logits: more tokens than the context")
    let context = LlamaContext(self, adapter: adapter, rows: tokens.count, backward: false)
    let batch = PackedBatch(
      tokens: tokens, segments: [AttentionSegment(row: 0, count: tokens.count)], targets: [])
    let h = try context.forward(batch)
    let flat = stage.logits(rows: positions, hidden: h, context.worker)
    let vocabulary = configuration.vocabularySize
    return positions.indices.map { Array(flat[$0 * vocabulary..<($0 + 1) * vocabulary]) }
  }
}
