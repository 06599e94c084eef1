import LanguageModels
import TaskGraph

/// Decides from gradients which columns of a prerequisite a child may refine.
///
/// A phase starts with the columns that the fixed ratio `initial` leaves trainable. At the start and every
/// ``interval`` steps, each prerequisite's loss and gradient are computed on its own validation samples:
/// - A column freezes if the child's gradient on it points against the prerequisite's (negative inner
///   product, summed over all layers).
/// - All columns of a prerequisite freeze if its validation loss has grown by more than `tolerance`
///   (relative) since the phase began.
///
/// Frozen columns stay frozen until the phase ends.
package struct AdaptiveFreezing: Sendable, Equatable {
  /// The relative growth of a prerequisite's loss that is tolerated; 0.05 is 5 %.
  package var tolerance: Double
  /// Optimiser steps between decisions.
  package var interval: Int

  package init(tolerance: Double, interval: Int = 10) {
    self.tolerance = tolerance
    self.interval = interval
  }
}

/// One decision, for the log.
package struct FreezeDecision: Sendable, Equatable, Codable {
  /// The phase, from 0.
  package var phase: Int
  /// The steps taken before the decision.
  package var step: Int
  /// The task whose columns are decided on.
  package var prerequisite: String
  /// The prerequisite's validation loss now, in nats.
  package var loss: Double
  /// The same at the start of the phase.
  package var lossAtStart: Double
  /// By column: the inner product of the child's and the prerequisite's gradients.
  package var innerProducts: [Int: Double]
  /// The columns that freeze now.
  package var freezes: [Int]
  /// Whether they freeze because the loss grew.
  package var isGuard: Bool

  /// Whether the losses and products are finite, as they are unless training diverges.
  var isFinite: Bool { loss.isFinite && lossAtStart.isFinite && innerProducts.values.allSatisfy(\.isFinite) }
}

/// Gradients by column.
package struct ColumnGradients {
  package let loss: Double
  package let columns: [Int]
  package let flat: [Float]
  package let layout: TrainableLayout
  package let scale: Double

  /// The gradient of the mean loss of `sequences` on `columns`, computed with all `active` columns.
  package init(
    _ model: LlamaModel, adapter: LoRAAdapter, active: [Int], columns: [Int], sequences: [TokenSequence],
    microBatchTokens: Int
  ) throws {
    let view = model.view(
      of: adapter, ColumnView(frozen: active.filter { !columns.contains($0) }, trainable: columns))
    let batches = MicroBatching.pack(sequences, tokens: microBatchTokens)
    let engine = GradientAccumulator(model, adapter: view, rows: batches.map(\.rowCount).max() ?? 0)
    let targets = sequences.reduce(0) { $0 + $1.targetCount }
    loss = try engine.step(batches, scale: 1 / Float(max(targets, 1))) / Double(max(targets, 1))
    self.columns = view.columns.trainable
    let layout = view.layout
    self.layout = layout
    scale = Double(adapter.scale)
    flat = model.device.makeOperations(threads: 1).values(engine.gradients.flat)
  }

  /// The inner product of two gradients on one column.
  ///
  /// - Precondition: both have a gradient for the column.
  package func innerProduct(_ other: ColumnGradients, column: Int) -> Double {
    guard let mine = columns.firstIndex(of: column), let its = other.columns.firstIndex(of: column) else {
      preconditionFailure("a column without a gradient")
    }
    var sum = 0.0
    for (index, module) in layout.modules.enumerated() {
      for i in 0..<module.inputs {
        sum +=
          Double(flat[layout.aOffsets[index] + mine * module.inputs + i])
          * Double(other.flat[other.layout.aOffsets[index] + its * module.inputs + i])
      }
      // Both hold the gradient of scale · B.
      for o in 0..<module.outputs {
        sum +=
          scale * scale * Double(flat[layout.bOffsets[index] + o * layout.columns + mine])
          * Double(other.flat[other.layout.bOffsets[index] + o * other.layout.columns + its])
      }
    }
    return sum
  }
}

extension AdaptiveFreezing {
  /// The input of a decision.
  struct Evidence {
    let model: LlamaModel
    let schedule: PhaseSchedule
    /// The current columns.
    let adapter: LoRAAdapter
    /// The child's samples.
    let child: [TokenSequence]
    /// Validation samples of each prerequisite.
    let heldBack: [String: [TokenSequence]]
    let microBatchTokens: Int
  }

  /// Makes the decisions for a phase, given its current trainable columns.
  ///
  /// - Parameter start: the prerequisites' losses at the start of the phase, by name; empty at the first
  ///   decision.
  func decide(_ phase: Phase, step: Int, start: [String: Double], _ evidence: Evidence) throws
    -> [FreezeDecision]
  {
    let candidates = phase.prerequisites.filter { !$0.trainable.isEmpty }
    guard !candidates.isEmpty else { return [] }
    let child = try ColumnGradients(
      evidence.model, adapter: evidence.adapter, active: phase.active,
      columns: candidates.flatMap(\.trainable), sequences: evidence.child,
      microBatchTokens: evidence.microBatchTokens)
    return try candidates.map { prerequisite in
      let own = try ColumnGradients(
        evidence.model, adapter: evidence.adapter,
        active: evidence.schedule.viewColumns(of: prerequisite.task),
        columns: prerequisite.trainable, sequences: evidence.heldBack[prerequisite.task] ?? [],
        microBatchTokens: evidence.microBatchTokens)
      let products = Dictionary(
        uniqueKeysWithValues: prerequisite.trainable.map { ($0, child.innerProduct(own, column: $0)) })
      let before = start[prerequisite.task] ?? own.loss
      let isWorse = own.loss > before * (1 + tolerance)
      return FreezeDecision(
        phase: phase.index, step: step, prerequisite: prerequisite.task, loss: own.loss, lossAtStart: before,
        innerProducts: products,
        freezes: isWorse
          ? prerequisite.trainable : prerequisite.trainable.filter { (products[$0] ?? 0) < 0 },
        isGuard: isWorse)
    }
  }
}
