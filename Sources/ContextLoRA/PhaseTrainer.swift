import LanguageModels
import TaskGraph
import Tensor

/// Trains the columns of one phase.
package final class PhaseTrainer {
  /// The columns the phase computes with, and those it trains.
  package let columns: ColumnView
  private let model: LlamaModel
  /// The columns computed beside the weights; frozen columns merged into the weights are not included.
  let view: DeviceAdapter
  private let optimizer: ColumnOptimizer
  private let options: TrainingOptions
  private let penalty: OrthogonalityPenalty?
  private var engine: GradientAccumulator
  private var rows: Int

  /// - Parameters:
  ///   - rows: the rows of the largest micro-batch expected. Buffers are planned for it and grow only for a
  ///     larger one.
  ///   - computed: the columns that are not merged into the weights; `nil` for all.
  package init(
    _ model: LlamaModel, adapter: LoRAAdapter, columns: ColumnView, options: TrainingOptions, rows: Int,
    computed: ColumnView? = nil
  ) {
    self.model = model
    self.columns = columns
    self.options = options
    self.rows = rows
    view = model.view(of: adapter, computed ?? columns)
    optimizer = ColumnOptimizer(adapter, view: view, settings: options.adamW, device: model.device)
    engine = GradientAccumulator(model, adapter: view, rows: rows)
    penalty = options.orthogonality.flatMap {
      OrthogonalityPenalty(adapter, columns, weight: $0, device: model.device)
    }
  }

  /// Bytes of activations, gradients, moments and the compact adapter.
  package var byteCount: Int { engine.byteCount + optimizer.byteCount + view.byteCount }

  /// Takes one optimiser step. The tokens of a prefix that a micro-batch's samples share are computed once but
  /// counted for each sample.
  ///
  /// - Throws: the weight source's error if embeddings cannot be read.
  package func step(_ sequences: [TokenSequence], learningRate: Double) throws -> StepOutcome {
    let (step, start) = (optimizer.step, ContinuousClock.now)
    let targets = sequences.reduce(0) { $0 + $1.targetCount }
    let batches =
      options.microBatchSamples.map { MicroBatching.pack(sequences, samples: $0) }
      ?? MicroBatching.pack(sequences, tokens: options.microBatchTokens)
    let widest = batches.map(\.rowCount).max() ?? 0
    if widest > rows {
      rows = widest
      engine = GradientAccumulator(model, adapter: view, rows: rows)
    }
    let sum = try engine.step(batches, scale: 1 / Float(max(targets, 1)))
    penalty?.add(for: optimizer.currentParameters, to: engine.gradients.flat)
    let norm = optimizer.squaredNorms(engine.gradients).reduce(0, +).squareRoot()
    optimizer.update(
      engine.gradients, factor: options.clipFactor(norm: norm), learningRate: Float(learningRate), view: view)
    return StepOutcome(
      step: step, loss: sum / Double(max(targets, 1)), gradientNorm: norm,
      tokens: sequences.reduce(0) { $0 + $1.tokens.count }, targets: targets,
      seconds: (ContinuousClock.now - start) / .seconds(1))
  }

  /// Writes the trained columns back; the adapter's other values are unchanged.
  package func commit(to adapter: inout LoRAAdapter) { optimizer.commit(to: &adapter) }

  /// The position of each trainable column in flat vectors.
  package var layout: TrainableLayout { optimizer.layout }

  /// The trainable parameters, flat.
  package var parameters: [Float] { optimizer.currentParameters }

  /// Writes flat trainable parameters, of this or an earlier step, into an adapter.
  package func scatter(_ flat: [Float], into adapter: inout LoRAAdapter) {
    flat.withUnsafeBufferPointer { values in
      guard let base = values.baseAddress else { return }
      optimizer.layout.scatter(base, into: &adapter, columns: optimizer.columns)
    }
  }

  /// The optimiser's moments and step, from which training can resume.
  package var optimizerState: ColumnOptimizer.State {
    get { optimizer.state }
    set { optimizer.state = newValue }
  }
}

extension Phase {
  /// The prerequisites with columns that this phase refines.
  package var refinedPrerequisites: [String] { prerequisites.filter { !$0.trainable.isEmpty }.map(\.task) }

  /// The phase's columns, frozen and trainable, for a model to compute with.
  package var columnView: ColumnView { ColumnView(frozen: frozen, trainable: trainable) }

  /// The phase with its frozen columns chosen: those of a checkpoint if given, otherwise by importance if the
  /// rule asks for that.
  ///
  /// - Throws: `TaskGraphError.importanceNotFinite`.
  package func resolved(_ adapter: LoRAAdapter, frozen: [Int]? = nil) throws(TaskGraphError) -> Phase {
    if let frozen { return freezing(frozen) }
    return isProvisional ? try freezing(mostImportant: adapter.columnImportances()) : self
  }
}
