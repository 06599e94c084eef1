import Checkpoint
import Tensor

/// A contiguous range of a Llama model's layers with its packed weights, on one device: the whole model, or
/// one stage of a pipeline. The first stage has the embedding, the last one the final norm and the head.
///
/// Unchecked: nothing is merged while a pass is running.
package final class LlamaStage: @unchecked Sendable {
  /// The sizes of the whole model.
  package let configuration: LlamaConfiguration
  /// The transformer blocks of this stage.
  package let layers: Range<Int>
  /// The maximum sequence length.
  package let contextLength: Int
  /// The device of its weights.
  package let device: any ComputeDevice
  let source: any WeightSource
  private let embedding: TokenEmbedding
  private let rotary: RotaryTable
  let blocks: [TransformerBlock]
  /// `nil` except on the last stage.
  private let head: OutputHead?
  /// The lowest layer with merged columns; `nil` if there is none.
  var lowestMerged: Int?

  /// Loads the weights of `layers`.
  ///
  /// - Parameters:
  ///   - use: whether there are backward passes.
  ///   - firstAdapted: the lowest layer of the model that backward passes go through; layers below it are
  ///     packed for forward passes only.
  /// - Throws: the source's error for a missing or damaged tensor.
  package init(
    _ source: any WeightSource, layers: Range<Int>, device: any ComputeDevice, contextLength: Int? = nil,
    use: PackedUse = .forwardAndBackward, firstAdapted: Int = 0
  ) throws {
    configuration = source.configuration
    precondition(
      !layers.isEmpty && layers.lowerBound >= 0 && layers.upperBound <= configuration.layerCount,
      "LlamaStage: no such layers")
    (self.source, self.layers, self.device) = (source, layers, device)
    self.contextLength = min(contextLength ?? configuration.contextLimit, configuration.contextLimit)
    embedding = TokenEmbedding(source: source)
    rotary = RotaryTable(configuration, positions: self.contextLength, device: device)

    // The workers load blocks and the head's chunks side by side.
    enum Part { case block(TransformerBlock), chunk(any PackedMatrix) }
    let isLast = layers.upperBound == configuration.layerCount
    let chunks = isLast ? OutputHead.chunkRows(configuration) : []
    let parts: [Part] = try device.mapItems(layers.count + chunks.count) { item, _ in
      guard item < layers.count else {
        return .chunk(
          try OutputHead.loadChunk(source, rows: chunks[item - layers.count], device: device, use: use))
      }
      let layer = layers.lowerBound + item
      return .block(
        try TransformerBlock(source, layer: layer, device: device, use: layer < firstAdapted ? .forward : use)
      )
    }
    blocks = parts.compactMap { if case .block(let block) = $0 { block } else { nil } }
    let loaded = parts.compactMap { if case .chunk(let chunk) = $0 { chunk } else { nil } }
    head = isLast ? try OutputHead(source, chunks: loaded, device: device) : nil
    // The device now has its own layout. The file is read again only for rows of the embedding, and for the
    // layers' weights when columns are merged.
    source.forgetPages()
    try source.checkUnchanged()
  }

  /// Whether this is the first stage, which embeds the tokens.
  package var isFirst: Bool { layers.lowerBound == 0 }
  /// Whether this is the last stage, which computes the logits.
  package var isLast: Bool { head != nil }

  /// Bytes of the packed weights.
  package var weightBytes: Int {
    blocks.flatMap(\.linears).reduce(head?.weightBytes ?? 0) { $0 + $1.weightBytes }
  }

  // MARK: Forward

  /// Sets h `[rows, hidden]` float32 to the embeddings of `tokens`; rows beyond them become zero.
  ///
  /// - Throws: the source's error for a damaged file.
  package func embed(_ tokens: [Int32], into h: Matrix, _ operations: any TensorOperations) throws {
    try embedding.forward(tokens, into: h, operations)
  }

  /// Runs this stage's layers over `activations.hidden`, which the caller has filled: with
  /// ``embed(_:into:_:)`` on the first stage, with the previous stage's output on the others.
  ///
  /// Keys and values go to `stores`, one per layer, if given, so that later tokens can attend to them.
  ///
  /// `outputRows` are the wanted rows of the model's output, such as those with a label; `nil` for all. The
  /// model's last block then computes only these, and the others are undefined.
  package func forward(
    _ batch: PackedBatch, _ activations: StageActivations, stores: [KeyValueStore]? = nil,
    outputRows: [Int]? = nil, adapter: DeviceAdapter?, _ worker: StageWorker
  ) {
    let pass = layerPass(batch, adapter, worker)
    let h = activations.hidden.rows(0..<batch.paddedRowCount)
    for (index, block) in blocks.enumerated() {
      let saved = activations.blocks[index]
      block.forward(
        h, saved, store: stores?[index] ?? saved.attention.store,
        outputRows: isModelsLast(index) ? outputRows : nil, pass)
    }
  }

  // MARK: Backward

  /// Runs the layers backward over `activations.hiddenGradient`, which must have the gradient of the stage's
  /// output. With `inputGradient`, it then has the gradient of the stage's input; otherwise the pass ends at
  /// the lowest adapted layer of the stage. Every trainable gradient of this stage is written once.
  ///
  /// - Parameter inputGradient: whether layers below this stage are adapted.
  /// - Precondition: `outputRows` are those of the forward pass.
  package func backward(
    _ batch: PackedBatch, _ activations: StageActivations, outputRows: [Int]? = nil,
    inputGradient: Bool = false, adapter: DeviceAdapter, gradients: GradientBuffer, _ worker: StageWorker
  ) {
    let pass = layerPass(batch, adapter, worker)
    let dh = activations.hiddenGradient.rows(0..<batch.paddedRowCount)
    let lowest = inputGradient ? layers.lowerBound : adapter.modules.first?.layer ?? layers.upperBound
    for (index, block) in blocks.enumerated().reversed() where layers.lowerBound + index >= lowest {
      block.backward(
        dh, activations.blocks[index], gradients,
        inputGradient: inputGradient || layers.lowerBound + index > lowest,
        outputRows: isModelsLast(index) ? outputRows : nil, pass)
    }
  }

  // MARK: Head

  /// The sum of -log p over the batch's labels, from the stage's output; sets `activations.hiddenGradient` to
  /// `scale` times its gradient. Only on the last stage.
  package func loss(
    _ batch: PackedBatch, _ activations: StageActivations, scale: Float, _ worker: StageWorker
  ) -> Double {
    outputHead.loss(
      activations.hidden, batch.targets, scale: scale,
      into: activations.hiddenGradient.rows(0..<batch.paddedRowCount), worker.operations)
  }

  /// The score of each label, from the stage's output h `[rows, hidden]`. Only on the last stage.
  package func tokenScores(
    _ targets: [TargetToken], hidden h: Matrix, _ worker: StageWorker
  ) -> [TokenScore] {
    outputHead.tokenScores(h, targets, worker.operations)
  }

  /// log p of each label, from the stage's output h `[rows, hidden]`. Only on the last stage.
  package func logProbabilities(
    _ targets: [TargetToken], hidden h: Matrix, _ worker: StageWorker
  ) -> [Float] {
    tokenScores(targets, hidden: h, worker).map(\.logProbability)
  }

  /// The logits `[rows.count, vocabulary]` at some rows of the stage's output. Only on the last stage.
  package func logits(rows: [Int], hidden h: Matrix, _ worker: StageWorker) -> [Float] {
    outputHead.logits(h, rows: rows, worker.operations)
  }

  // MARK: Helpers

  private var outputHead: OutputHead {
    guard let head else { preconditionFailure("LlamaStage: the head is on another stage") }
    return head
  }

  private func isModelsLast(_ index: Int) -> Bool { isLast && index == blocks.count - 1 }

  private func layerPass(_ batch: PackedBatch, _ adapter: DeviceAdapter?, _ worker: StageWorker) -> LayerPass
  {
    precondition(
      batch.paddedRowCount <= worker.rows, "a batch of \(batch.rowCount) rows in a worker of \(worker.rows)")
    return LayerPass(
      rotary: rotary, segments: batch.segments, rowCount: batch.rowCount, adapter: adapter,
      scratch: worker.scratch, operations: worker.operations)
  }
}
