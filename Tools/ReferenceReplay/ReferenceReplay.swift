import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import Tensor

/// Replays a training with every batch given as token ids, from given initial parameters, so that the results
/// can be compared number by number with another implementation.
package struct ReferenceReplay {
  /// The loss of one step.
  package struct Loss: Codable, Sendable, Equatable {
    /// The round, from 0.
    package let round: Int
    /// The task.
    package let task: String
    /// The optimiser step, from 1.
    package let step: Int
    /// Mean cross-entropy.
    package let loss: Double
    /// The gradient norm before clipping.
    package let gradNorm: Double
  }

  /// The result of a replay.
  package struct Outcome: Sendable {
    /// All columns after training.
    package var adapter: LoRAAdapter
    /// One entry per step.
    package var losses: [Loss]
    /// Per task, the logits at the last position of its first sequence, computed with the columns that the
    /// task sees.
    package var logits: [String: [Float]]
  }

  /// All columns before training.
  package let initialAdapter: LoRAAdapter
  private let specification: ReplaySpecification
  private let schedule: PhaseSchedule
  private let weights: any WeightSource
  private let device: any ComputeDevice

  /// - Throws: `FileError`, with the file and the invalid field.
  package init(
    specification url: URL, initial: URL, model: any WeightSource,
    device: any ComputeDevice = CPUDevice(computeType: .float32)
  ) throws {
    specification = try ReplaySpecification(url, model: model.configuration, type: device.computeType)
    schedule = try specification.schedule()
    let rank = specification.rank
    let modules = TargetModule.all(
      model.configuration, layers: 0..<model.configuration.layerCount, targets: specification.targets)
    initialAdapter = LoRAAdapter(
      modules: modules, rank: rank, scale: Float(specification.alpha / Double(rank)),
      pairs: try AdapterTensors.read(SafetensorsFile(initial), modules: modules, rank: rank))
    weights = model
    self.device = device
  }

  /// Trains every phase.
  ///
  /// - Throws: the errors of the model's file, and `FileError` if the training diverges.
  package func run() throws -> Outcome {
    let model = try LlamaModel(weights, device: device)
    var options = TrainingOptions()
    options.adamW = specification.adamW
    options.clipNorm = specification.clipNorm
    // One sequence per micro-batch, so that gradients are added sequence by sequence.
    options.microBatchTokens = 1
    var outcome = Outcome(adapter: initialAdapter, losses: [], logits: [:])
    for phase in schedule {
      guard let task = specification.tasks.first(where: { $0.name == phase.task }) else { continue }
      try model.stage.withMerged(phase.columnView, of: outcome.adapter) { computed in
        let trainer = PhaseTrainer(
          model, adapter: outcome.adapter, columns: phase.columnView, options: options, rows: 64,
          computed: computed)
        for (index, batch) in task.batches.enumerated() {
          let result = try trainer.step(batch, learningRate: specification.learningRate)
          guard result.loss.isFinite, result.gradientNorm.isFinite else {
            throw diverged("the loss or gradient of task '\(task.name)' in step \(index + 1)")
          }
          outcome.losses.append(
            Loss(
              round: phase.round - 1, task: phase.task, step: index + 1, loss: result.loss,
              gradNorm: result.gradientNorm))
        }
        trainer.commit(to: &outcome.adapter)
      }
    }
    for task in specification.tasks {
      guard let first = task.batches.first?.first else { continue }
      let view = model.view(of: outcome.adapter, .inference(schedule.viewColumns(of: task.name)))
      let logits = try model.allLogits(first.tokens, adapter: view).last ?? []
      guard logits.allSatisfy(\.isFinite) else { throw diverged("a logit of task '\(task.name)'") }
      outcome.logits[task.name] = logits
    }
    return outcome
  }

  private func diverged(_ what: String) -> FileError {
    FileError(
      .unsupported, file: specification.file, field: "learningRate",
      problem: "\(what) is not a finite number: the training has diverged", remedy: "give a smaller one")
  }
}
