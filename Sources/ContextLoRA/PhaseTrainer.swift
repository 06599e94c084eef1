import LanguageModels
import TaskGraph
import Tensor

/// What one optimiser step did.
package struct StepResult: Sendable, Equatable {
  /// Mean cross-entropy over the batch's answer tokens, in nats.
  package var loss: Double
  /// The Euclidean norm of the gradient before clipping.
  package var gradientNorm: Double
  /// Tokens of the samples. What those of a micro-batch begin with in common is computed once.
  package var tokens: Int
  /// Tokens that carry loss.
  package var targets: Int
}

/// Trains the columns of one phase.
package final class PhaseTrainer {
  /// The columns the phase computes with, and those it trains.
  package let columns: ColumnView
  private let stage: LlamaStage
  /// The phase's columns as computed now; frozen ones that are added to the weights are not among them.
  let view: DeviceAdapter
  private let optimizer: ColumnOptimizer
  private let options: TrainingOptions
  private var engine: GradientAccumulator
  private var rows: Int

  /// - Parameters:
  ///   - rows: the largest micro-batch expected; memory is planned for it, and only a larger one makes it grow.
  ///   - computed: those of the columns that are not merged into the weights; `nil` for all.
  package init(
    _ stage: LlamaStage, adapter: LoRAAdapter, columns: ColumnView, options: TrainingOptions, rows: Int,
    computed: ColumnView? = nil
  ) {
    self.stage = stage
    self.columns = columns
    self.options = options
    self.rows = rows
    view = DeviceAdapter(
      adapter, columns: computed ?? columns, configuration: stage.configuration, device: stage.device)
    optimizer = ColumnOptimizer(adapter, view: view, settings: options.adamW, device: stage.device)
    engine = GradientAccumulator(stage, adapter: view, rows: rows)
  }

  /// Bytes of activations, gradients, moments and the compact adapter.
  package var byteCount: Int { engine.byteCount + optimizer.byteCount + view.byteCount }

  /// Optimiser steps taken.
  package var stepCount: Int { optimizer.step }

  /// One optimiser step.
  ///
  /// - Throws: what the weight source throws when embeddings cannot be read.
  package func step(_ sequences: [TokenSequence], learningRate: Double) throws -> StepResult {
    let targets = sequences.reduce(0) { $0 + $1.targetCount }
    let batches =
      options.microBatchSamples.map { MicroBatching.pack(sequences, samples: $0) }
      ?? MicroBatching.pack(sequences, tokens: options.microBatchTokens)
    let widest = batches.map(\.rowCount).max() ?? 0
    if widest > rows {
      rows = widest
      engine = GradientAccumulator(stage, adapter: view, rows: rows)
    }
    let sum = try engine.step(batches, scale: 1 / Float(max(targets, 1)))
    let norm = optimizer.squaredNorms(engine.gradients).reduce(0, +).squareRoot()
    optimizer.update(
      engine.gradients, factor: options.clipFactor(norm: norm), learningRate: Float(learningRate), view: view)
    return StepResult(
      loss: sum / Double(max(targets, 1)), gradientNorm: norm,
      tokens: sequences.reduce(0) { $0 + $1.tokens.count }, targets: targets)
  }

  /// Writes the trained columns back; no other value of the adapter is touched.
  package func commit(to adapter: inout LoRAAdapter) { optimizer.commit(to: &adapter) }

  /// Where each trainable column stands in flat vectors.
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

  /// The optimiser's moments and step, to go on from.
  package var optimizerState: ColumnOptimizer.State {
    get { optimizer.state }
    set { optimizer.state = newValue }
  }
}

extension Phase {
  /// The prerequisites of whose columns some are refined.
  package var refinedPrerequisites: [String] { prerequisites.filter { !$0.trainable.isEmpty }.map(\.task) }

  /// The phase's columns as a model computes them.
  package var columnView: ColumnView { ColumnView(frozen: frozen, trainable: trainable) }

  /// The phase with its columns chosen: those of a checkpoint, or by importance where the rule says so.
  ///
  /// - Throws: `TaskGraphError.importanceNotFinite`.
  package func resolved(_ adapter: LoRAAdapter, frozen: [Int]? = nil) throws(TaskGraphError) -> Phase {
    if let frozen { return freezing(frozen) }
    return isProvisional ? try freezing(mostImportant: adapter.columnImportances()) : self
  }
}
