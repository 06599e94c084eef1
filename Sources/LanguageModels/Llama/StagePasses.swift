import Tensor

/// The buffers of one micro-batch in flight: activations that the forward pass of a stage stores for its
/// backward pass.
///
/// Unchecked: used by one worker at a time.
package final class StageActivations: @unchecked Sendable {
  /// The capacity in rows.
  package let rows: Int
  private let memory: DeviceMemory
  let layers: [LayerActivations]
  /// The residual stream, `[rows, hidden]` float32: the stage's input before the forward pass, its output
  /// afterwards.
  package let hidden: Matrix
  /// Its gradient, `[rows, hidden]` float32.
  package let hiddenGradient: Matrix

  /// Allocates a stage's activations for at most `rows` rows. Each layer from the lowest adapted one on has
  /// its own buffers. The layers below it share one layer's buffers, as do all layers if there is no backward
  /// pass.
  package init(_ stage: LlamaStage, rows: Int, adapter: DeviceAdapter?, keepsActivations: Bool = true) {
    let rows = PackedBatch.padded(rows)
    func plan(_ planner: inout ArenaPlanner) -> ([LayerActivations], Matrix, Matrix) {
      func room(_ planner: inout ArenaPlanner) -> LayerActivations {
        LayerActivations(
          &planner, stage.configuration, rows: rows, lowColumns: adapter.lowColumns(layers: stage.layers),
          type: stage.device.computeType)
      }
      // Without an adapter, all gradients may be wanted. An adapter without target modules here is for layers
      // above this stage.
      let lowest =
        keepsActivations
        ? adapter.map { $0.sites.first?.layer ?? stage.layers.upperBound } ?? 0 : stage.layers.upperBound
      var passing: LayerActivations?
      let layers = stage.layers.map { layer in
        if layer >= lowest { return room(&planner) }
        let shared = passing ?? room(&planner)
        passing = shared
        return shared
      }
      let hidden = stage.configuration.hiddenSize
      return (
        layers, planner.matrix(rows: rows, columns: hidden, type: .float32),
        planner.matrix(rows: keepsActivations ? rows : 0, columns: hidden, type: .float32)
      )
    }
    var counter = ArenaPlanner()
    _ = plan(&counter)
    memory = stage.device.allocate(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    self.rows = rows
    (layers, hidden, hiddenGradient) = plan(&planner)
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }
}

/// A worker's operations, and the scratch buffers that its passes share.
///
/// Not to be used by two threads at once.
package final class StageWorker: @unchecked Sendable {
  /// The operations that the worker computes with.
  package let operations: any TensorOperations
  let scratch: LayerScratch
  /// The capacity in rows.
  package let rows: Int
  private let memory: DeviceMemory

  /// Allocates scratch for passes of at most `rows` rows.
  package init(
    _ stage: LlamaStage, rows: Int, adapter: DeviceAdapter?, backward: Bool = true, threads: Int = 1
  ) {
    let rows = PackedBatch.padded(rows)
    func plan(_ planner: inout ArenaPlanner) -> LayerScratch {
      LayerScratch(
        &planner, stage.configuration, rows: rows, lowColumns: adapter.lowColumns(layers: stage.layers),
        type: stage.device.computeType, backward: backward)
    }
    var counter = ArenaPlanner()
    _ = plan(&counter)
    memory = stage.device.allocate(byteCount: counter.byteCount)
    var planner = ArenaPlanner(memory: memory)
    scratch = plan(&planner)
    operations = stage.device.makeOperations(threads: threads)
    self.rows = rows
  }

  /// Bytes allocated.
  package var byteCount: Int { memory.byteCount }
}

// The passes of a stage over one micro-batch, forward and backward.
extension LlamaStage {
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
    let scratch = worker.scratch.narrowed(to: batch.paddedRowCount)
    for (place, block) in blocks.enumerated() {
      let layer = activations.layers[place].narrowed(to: batch.paddedRowCount)
      block.forward(
        activations.hidden.rows(0..<batch.paddedRowCount), layer, store: stores?[place] ?? layer.store,
        scratch, outputRows: isModelsLast(block) ? outputRows : nil, pass)
    }
  }

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
    let lowest = inputGradient ? layers.lowerBound : adapter.sites.first?.layer ?? layers.upperBound
    for (block, layer) in zip(blocks, activations.layers).reversed() where block.index >= lowest {
      block.backward(
        activations.hiddenGradient.rows(0..<batch.paddedRowCount), layer.narrowed(to: batch.paddedRowCount),
        worker.scratch.narrowed(to: batch.paddedRowCount), gradients: gradients,
        inputGradient: inputGradient || block.index > lowest,
        outputRows: isModelsLast(block) ? outputRows : nil, pass)
    }
  }

  private func isModelsLast(_ block: LlamaLayer) -> Bool { block.index == configuration.layerCount - 1 }

  /// The sum of -log p over the batch's labels, from the stage's output; sets `activations.hiddenGradient` to
  /// `scale` times its gradient. Only on the last stage.
  package func loss(
    _ batch: PackedBatch, _ activations: StageActivations, scale: Float, _ worker: StageWorker
  ) -> Double {
    guard let finalNorm else { preconditionFailure("loss: the head is on another stage") }
    let operations = worker.operations
    let rows = batch.targets.map(\.row)
    let hidden = configuration.hiddenSize
    var planner = ArenaPlanner(memory: nil)
    func plan(_ planner: inout ArenaPlanner) -> (Matrix, Matrix, Matrix, Matrix, Matrix) {
      (
        planner.matrix(rows: rows.count, columns: hidden, type: .float32),
        planner.matrix(rows: rows.count, columns: hidden, type: device.computeType),
        planner.matrix(rows: rows.count, columns: 1, type: .float32),
        planner.matrix(rows: rows.count, columns: hidden, type: .float32),
        planner.matrix(rows: rows.count, columns: hidden, type: .float32)
      )
    }
    _ = plan(&planner)
    let memory = device.allocate(byteCount: planner.byteCount)
    planner = ArenaPlanner(memory: memory)
    let (x, normed, rstd, dNormed, dx) = plan(&planner)
    operations.gatherRows(activations.hidden, rows, into: x)
    operations.rmsNorm(
      x, weight: finalNorm.matrix, epsilon: configuration.rmsNormEpsilon, into: normed, rstd: rstd)
    let loss = operations.crossEntropy(
      normed, head: head, tokens: batch.targets.map(\.token), scale: scale, dx: dNormed)
    operations.rmsNormBackward(dy: dNormed, x: x, weight: finalNorm.matrix, rstd: rstd, addTo: dx)
    operations.zero(activations.hiddenGradient.rows(0..<batch.paddedRowCount))
    operations.scatterRows(dx, rows, into: activations.hiddenGradient)
    return loss
  }

  /// The score of each of the batch's labels, from the stage's output. Only on the last stage.
  package func tokenScores(
    _ targets: [TargetToken], hidden h: Matrix, _ worker: StageWorker
  ) -> [TokenScore] {
    withNormed(h, rows: targets.map(\.row), worker) { normed in
      worker.operations.tokenScores(normed, head: head, tokens: targets.map(\.token))
    }
  }

  /// log p of each of the batch's labels, from the stage's output. Only on the last stage.
  package func logProbabilities(
    _ targets: [TargetToken], hidden h: Matrix, _ worker: StageWorker
  ) -> [Float] {
    tokenScores(targets, hidden: h, worker).map(\.logProbability)
  }

  /// The logits `[rows.count, vocabulary]` at some rows of the stage's output. Only on the last stage.
  package func logits(rows: [Int], hidden h: Matrix, _ worker: StageWorker) -> [Float] {
    withNormed(h, rows: rows, worker) { normed in
      let count = rows.count * configuration.vocabularySize
      let memory = device.allocate(byteCount: count * 4)
      let logits = memory.matrix(rows: rows.count, columns: configuration.vocabularySize, type: .float32)
      worker.operations.logits(normed, head: head, into: logits)
      return [Float](unsafeUninitializedCapacity: count) { buffer, filled in
        if let base = buffer.baseAddress { worker.operations.read(logits, into: base) }
        filled = count
      }
    }
  }

  private func withNormed<T>(
    _ h: Matrix, rows: [Int], _ worker: StageWorker, _ body: (Matrix) -> T
  ) -> T {
    guard let finalNorm else { preconditionFailure("logits: the head is on another stage") }
    let hidden = configuration.hiddenSize
    let memory = device.allocate(byteCount: rows.count * (hidden * (4 + device.computeType.size) + 4) + 256)
    var planner = ArenaPlanner(memory: memory)
    let x = planner.matrix(rows: rows.count, columns: hidden, type: .float32)
    let normed = planner.matrix(rows: rows.count, columns: hidden, type: device.computeType)
    let rstd = planner.matrix(rows: rows.count, columns: 1, type: .float32)
    worker.operations.gatherRows(h, rows, into: x)
    worker.operations.rmsNorm(
      x, weight: finalNorm.matrix, epsilon: configuration.rmsNormEpsilon, into: normed, rstd: rstd)
    return body(normed)
  }

  func layerPass(_ batch: PackedBatch, _ adapter: DeviceAdapter?, _ worker: StageWorker) -> LayerPass {
    precondition(
      batch.paddedRowCount <= worker.rows, "a batch of \(batch.rowCount) rows in a worker of \(worker.rows)")
    return LayerPass(
      configuration: configuration, rotary: rotary, segments: batch.segments, rowCount: batch.rowCount,
      adapter: adapter, operations: worker.operations)
  }
}
