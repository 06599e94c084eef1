import Checkpoint
import Foundation
import LanguageModels
import TaskGraph
import Tensor

/// Replays a training whose every batch is given as token ids, from given initial parameters: what it
/// computes can be compared number by number with another implementation.
public struct ReferenceReplay {
  /// One line of losses.
  public struct Loss: Codable, Sendable, Equatable {
    /// From 0.
    public let round: Int
    /// The task.
    public let task: String
    /// From 1.
    public let step: Int
    /// Mean cross-entropy.
    public let loss: Double
    /// Before clipping.
    public let gradNorm: Double
  }

  /// What a replay gives.
  public struct Outcome: Sendable {
    /// All columns after training.
    public var adapter: LoRAAdapter
    /// One line a step.
    public var losses: [Loss]
    /// Per task the logits at the last position of its first sequence, seen with its columns.
    public var logits: [String: [Float]]
  }

  /// All columns before training.
  public let initialAdapter: LoRAAdapter
  private let specification: ReplaySpecification
  private let schedule: PhaseSchedule
  private let weights: any WeightSource
  private let device: any ComputeDevice

  /// - Throws: `CheckpointError` naming the file and the field that cannot be used.
  public init(
    specification url: URL, initial: URL, model: any WeightSource,
    device: any ComputeDevice = CPUDevice(computeType: .float32)
  ) throws {
    specification = try ReplaySpecification(url, model: model.configuration, type: device.computeType)
    schedule = try specification.schedule()
    let rank = specification.rank
    let sites = AdapterSite.all(
      model.configuration, layers: 0..<model.configuration.layerCount, targets: specification.targets)
    initialAdapter = LoRAAdapter(
      sites: sites, rank: rank, scale: Float(specification.alpha / Double(rank)),
      pairs: try AdapterTensors.read(SafetensorsFile(initial), sites: sites, rank: rank))
    weights = model
    self.device = device
  }

  /// Trains every phase.
  ///
  /// - Throws: what the model's file throws, and `CheckpointError` where the training diverges.
  public func run() throws -> Outcome {
    let stage = try LlamaStage(weights, device: device)
    var options = TrainingOptions()
    options.adamW = specification.adamW
    options.clipNorm = specification.clipNorm
    // One sequence a micro-batch: gradients are then added sequence by sequence.
    options.microBatchTokens = 1
    var outcome = Outcome(adapter: initialAdapter, losses: [], logits: [:])
    for phase in schedule {
      guard let task = specification.tasks.first(where: { $0.name == phase.task }) else { continue }
      let trainer = try PhaseTrainer(
        stage, adapter: outcome.adapter, columns: phase.columnView, options: options, rows: 64, folds: true)
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
    try stage.fold(outcome.adapter, columns: [])
    for task in specification.tasks {
      guard let first = task.batches.first?.first else { continue }
      let view = AdapterView(
        outcome.adapter, columns: .inference(schedule.viewColumns(of: task.name)),
        configuration: stage.configuration, device: device)
      let logits = try stage.allLogits(first.tokens, adapter: view).last ?? []
      guard logits.allSatisfy(\.isFinite) else { throw diverged("a logit of task '\(task.name)'") }
      outcome.logits[task.name] = logits
    }
    return outcome
  }

  private func diverged(_ what: String) -> CheckpointError {
    CheckpointError(
      .unsupported, file: specification.file, field: "learningRate",
      problem: "\(what) is not a finite number: the training has diverged", remedy: "give a smaller one")
  }
}
