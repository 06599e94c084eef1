import Checkpoint
import ContextLoRA
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import Tensor

/// Replays a training whose every batch is given as token ids, from given initial parameters: what it
/// computes can be compared number by number with another implementation.
package struct ReferenceReplay {
  /// One line of losses.
  package struct Loss: Codable, Sendable, Equatable {
    /// From 0.
    package let round: Int
    /// The task.
    package let task: String
    /// From 1.
    package let step: Int
    /// Mean cross-entropy.
    package let loss: Double
    /// Before clipping.
    package let gradNorm: Double
  }

  /// What a replay gives.
  package struct Outcome: Sendable {
    /// All columns after training.
    package var adapter: LoRAAdapter
    /// One line a step.
    package var losses: [Loss]
    /// Per task the logits at the last position of its first sequence, seen with its columns.
    package var logits: [String: [Float]]
  }

  /// All columns before training.
  package let initialAdapter: LoRAAdapter
  private let specification: ReplaySpecification
  private let schedule: PhaseSchedule
  private let weights: any WeightSource
  private let device: any ComputeDevice

  /// - Throws: `FileError` naming the file and the field that cannot be used.
  package init(
    specification url: URL, initial: URL, model: any WeightSource,
    device: any ComputeDevice = CPUDevice(computeType: .float32)
  ) throws {
    specification = try ReplaySpecification(url, model: model.configuration, type: device.computeType)
    schedule = try specification.schedule()
    let rank = specification.rank
    let sites = TargetModule.all(
      model.configuration, layers: 0..<model.configuration.layerCount, targets: specification.targets)
    initialAdapter = LoRAAdapter(
      sites: sites, rank: rank, scale: Float(specification.alpha / Double(rank)),
      pairs: try AdapterTensors.read(SafetensorsFile(initial), sites: sites, rank: rank))
    weights = model
    self.device = device
  }

  /// Trains every phase.
  ///
  /// - Throws: what the model's file throws, and `FileError` where the training diverges.
  package func run() throws -> Outcome {
    let stage = try LlamaStage(weights, device: device)
    var options = TrainingOptions()
    options.adamW = specification.adamW
    options.clipNorm = specification.clipNorm
    // One sequence a micro-batch: gradients are then added sequence by sequence.
    options.microBatchTokens = 1
    var outcome = Outcome(adapter: initialAdapter, losses: [], logits: [:])
    for phase in schedule {
      guard let task = specification.tasks.first(where: { $0.name == phase.task }) else { continue }
      try stage.withMerged(phase.columnView, of: outcome.adapter) { computed in
        let trainer = PhaseTrainer(
          stage, adapter: outcome.adapter, columns: phase.columnView, options: options, rows: 64,
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
      let view = DeviceAdapter(
        outcome.adapter, columns: .inference(schedule.viewColumns(of: task.name)),
        configuration: stage.configuration, device: device)
      let logits = try stage.allLogits(first.tokens, adapter: view).last ?? []
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
