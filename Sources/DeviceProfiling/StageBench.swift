import Checkpoint
import LanguageModels
import SeededRandom
import Tensor

/// A stage with everything that one micro-batch needs. Each run does one repetition of some work and returns
/// the seconds of each part. Inputs that a pipeline gets from its neighbours are filled in outside of the
/// timing.
final class StageBench {
  private let stage: LlamaStage
  private let sequenceLength: Int
  private let view: DeviceAdapter
  private let worker: StageWorker
  private let activations: StageActivations
  /// The gradient of a micro-batch, and the sum that it is added to.
  private let own: GradientBuffer
  private let sum: GradientBuffer
  private let optimizer: ColumnOptimizer
  private let between: () throws -> Void
  private var generator = SeededGenerator(seed: 1, stream: 1)

  /// - Parameters:
  ///   - trained: trained rank columns.
  ///   - frozen: additional frozen rank columns.
  ///   - between: called before each pass, outside of the timing.
  init(
    _ stage: LlamaStage, rows: Int, trained: Int, frozen: Int = 0, sequenceLength: Int,
    between: @escaping () throws -> Void
  ) {
    (self.stage, self.between) = (stage, between)
    let (device, layers, rank) = (stage.device, stage.layers, trained + frozen)
    self.sequenceLength = min(sequenceLength, stage.contextLength)
    let modules = TargetModule.all(stage.configuration, layers: layers, targets: Set(Projection.allCases))
    let adapter = LoRAAdapter(modules: modules, rank: rank, scale: 2, seed: 1)
    view = DeviceAdapter(
      adapter, columns: ColumnView(frozen: Array(0..<frozen), trainable: Array(frozen..<rank)),
      configuration: stage.configuration, device: device)
    worker = StageWorker(stage, rows: rows, adapter: view, threads: device.workerCount)
    activations = StageActivations(stage, rows: rows, adapter: view)
    own = GradientBuffer(view.layout, device: device)
    sum = GradientBuffer(view.layout, device: device)
    optimizer = ColumnOptimizer(adapter, view: view, settings: AdamWSettings(), device: device)
  }

  /// Times the layers' forward pass, and their backward pass including gradient accumulation.
  func layerRun(tokens: Int) throws -> () throws -> [Double] {
    let batch = makeBatch(tokens: tokens)
    let input = try embedded(batch)
    let gradient = (0..<input.count).map { _ in (Float(generator.unit()) - 0.5) * 1e-3 }
    return { [self] in
      fill(activations.hidden, input, batch)
      let forward = try seconds { stage.forward(batch, activations, adapter: view, worker) }
      fill(activations.hiddenGradient, gradient, batch)
      let backward = try seconds {
        stage.backward(
          batch, activations, inputGradient: true, adapter: view, gradients: own, worker)
        worker.operations.add(own.flat, to: sum.flat)
      }
      return [forward, backward]
    }
  }

  /// Times the layers' forward and backward pass, then both again with only the last rows of the model's last
  /// layer needed.
  func lastLayerRun(tokens: Int, labels: Int) throws -> () throws -> [Double] {
    let batch = makeBatch(tokens: tokens)
    let input = try embedded(batch)
    let gradient = [Float](repeating: 1e-4, count: input.count)
    let rows = Array(max(tokens - labels, 0)..<tokens)
    return { [self] in
      try [nil, rows].flatMap { outputRows in
        fill(activations.hidden, input, batch)
        let forward = try seconds {
          stage.forward(batch, activations, outputRows: outputRows, adapter: view, worker)
        }
        fill(activations.hiddenGradient, gradient, batch)
        let backward = try seconds {
          stage.backward(
            batch, activations, outputRows: outputRows, inputGradient: true, adapter: view, gradients: own,
            worker)
        }
        return [forward, backward]
      }
    }
  }

  /// Times the probabilities alone, then the loss and its gradient.
  func headRun(labels: Int) throws -> () throws -> [Double] {
    let batch = makeBatch(tokens: labels)
    fill(activations.hidden, try embedded(batch), batch)
    return { [self] in
      let forward = try seconds {
        _ = stage.logProbabilities(batch.targets, hidden: activations.hidden, worker)
      }
      return [forward, try seconds { _ = stage.loss(batch, activations, scale: 1e-3, worker) }]
    }
  }

  /// Times copying gradients into a message's memory, then taking them out and adding them. One thread does
  /// either, as in a stage.
  func sumRun() -> () throws -> [Double] {
    let operations = stage.device.makeOperations(threads: 1)
    let modules = view.layout.modules.indices
    let message = DeviceMemory(byteCount: own.count(modules) * 4)
    return { [self] in
      let values = message.address.assumingMemoryBound(to: Float.self)
      let copying = try seconds { own.read(modules, into: values, operations) }
      let adding = try seconds {
        own.write(values, modules, operations)
        sum.add(own, modules, operations)
      }
      return [copying, adding]
    }
  }

  /// Times the norm that clipping needs, and AdamW. Requires that gradients were computed.
  func updateRun() -> () throws -> [Double] {
    { [self] in
      // The other runs keep adding to the sum.
      worker.operations.copy(own.flat, into: sum.flat)
      return [
        try seconds {
          _ = optimizer.squaredNorms(sum)
          optimizer.update(sum, factor: 1, learningRate: 1e-6, view: view)
        }
      ]
    }
  }

  /// Times reading the tokens' rows.
  func embeddingRun(tokens: Int) -> () throws -> [Double] {
    let batch = makeBatch(tokens: tokens)
    return { [self] in
      let start = ContinuousClock.now
      try stage.embed(
        batch.tokens, into: activations.hidden.rows(0..<batch.paddedRowCount), worker.operations)
      return [(ContinuousClock.now - start) / .seconds(1)]
    }
  }

  /// Sequences of random tokens, all labelled.
  private func makeBatch(tokens: Int) -> PackedBatch {
    let vocabulary = stage.configuration.vocabularySize
    let sequences = stride(from: 0, to: tokens, by: sequenceLength).map { start in
      let row = (0..<min(sequenceLength, tokens - start)).map { _ in
        Int32(min(Int(generator.unit() * Double(vocabulary)), vocabulary - 1))
      }
      return TokenSequence(tokens: row, targets: row)
    }
    return PackedBatch(sequences)
  }

  /// The batch's embeddings, which have the magnitude that layers see.
  private func embedded(_ batch: PackedBatch) throws -> [Float] {
    let rows = activations.hidden.rows(0..<batch.paddedRowCount)
    try stage.embed(batch.tokens, into: rows, worker.operations)
    return worker.operations.values(rows)
  }

  private func fill(_ matrix: Matrix, _ values: [Float], _ batch: PackedBatch) {
    worker.operations.write(values, scale: 1, into: matrix.rows(0..<batch.paddedRowCount))
  }

  private func seconds(_ body: () -> Void) throws -> Double {
    try between()
    let start = ContinuousClock.now
    body()
    return (ContinuousClock.now - start) / .seconds(1)
  }
}
