import Checkpoint
import Foundation
import LanguageModels
import TaskGraph
import Tensor

/// Replays a training whose every batch is given as token ids, from given initial parameters: what it
/// computes can be compared number by number with another implementation.
public struct ReferenceReplay {
  /// The specification file.
  public struct Specification: Decodable {
    struct Sample: Decodable {
      let ids: [Int32]
      /// As long as `ids`: the token to be predicted from each position, -100 for no loss.
      let labels: [Int32]
    }
    struct Task: Decodable {
      let name: String
      let parents: [String]
      /// One entry is one optimiser step.
      let batches: [[Sample]]
    }
    let rank: Int
    let alpha: Double
    let frozenRatio: Double
    let rounds: Int?
    let prerequisites: String?
    let learningRate: Double
    let betas: [Double]?
    let epsilon: Double?
    let weightDecay: Double?
    let clipNorm: Double?
    let targets: [String]
    let tasks: [Task]
  }

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

  private let specification: Specification
  private let schedule: PhaseSchedule
  private let weights: any WeightSource
  private let adapter: LoRAAdapter
  private let device: any ComputeDevice

  /// - Throws: an error naming the file and the field that cannot be used.
  public init(
    specification url: URL, initial: URL, model: any WeightSource,
    device: any ComputeDevice = CPUDevice(computeType: .float32)
  ) throws {
    let specification = try JSONDecoder().decode(Specification.self, from: Data(contentsOf: url))
    func refuse(_ field: String, _ problem: String) -> CheckpointError {
      CheckpointError(
        .malformed, file: url.path, field: field, problem: problem, remedy: "correct the specification")
    }
    let targets = try specification.targets.map { name -> Projection in
      guard let projection = Projection(rawValue: name) else {
        throw refuse("targets", "'\(name)' is unknown")
      }
      return projection
    }
    guard let rule = PrerequisiteRule(rawValue: specification.prerequisites ?? "ancestors") else {
      throw refuse("prerequisites", "is neither ancestors nor direct")
    }
    for task in specification.tasks {
      for sample in task.batches.joined() where sample.ids.count != sample.labels.count || sample.ids.isEmpty
      {
        throw refuse("tasks.\(task.name).batches", "a sample has not one label a token")
      }
    }
    let graph = try TaskDependencyGraph(specification.tasks.map { (name: $0.name, parents: $0.parents) })
    schedule = try PhaseSchedule(
      graph: graph, blocks: RankBlocks(tasks: graph.tasks, rank: specification.rank),
      frozenRatio: specification.frozenRatio, prerequisiteRule: rule, freezeRule: .leading,
      rounds: specification.rounds ?? 1)
    let sites = AdapterSite.all(
      model.configuration, layers: 0..<model.configuration.layerCount, targets: Set(targets))
    adapter = LoRAAdapter(
      sites: sites, rank: specification.rank, scale: Float(specification.alpha / Double(specification.rank)),
      pairs: try AdapterTensors.read(SafetensorsFile(initial), sites: sites, rank: specification.rank))
    self.specification = specification
    weights = model
    self.device = device
  }

  /// Trains every phase.
  ///
  /// - Throws: what the model's file throws.
  public func run() throws -> Outcome {
    let stage = try LlamaStage(weights, device: device)
    var options = TrainingOptions()
    options.adamW = AdamWSettings(
      beta1: specification.betas?[0] ?? 0.9, beta2: specification.betas?[1] ?? 0.999,
      epsilon: specification.epsilon ?? 1e-8, weightDecay: specification.weightDecay ?? 0)
    options.clipNorm = specification.clipNorm
    // One sequence a micro-batch: gradients are then added sequence by sequence.
    options.microBatchTokens = 1
    var outcome = Outcome(adapter: adapter, losses: [], logits: [:])
    for phase in schedule {
      guard let task = specification.tasks.first(where: { $0.name == phase.task }) else { continue }
      let trainer = PhaseTrainer(
        stage, adapter: outcome.adapter, columns: phase.columnView, options: options, rows: 64)
      for (index, batch) in task.batches.enumerated() {
        let result = try trainer.step(batch.map(\.sequence), learningRate: specification.learningRate)
        outcome.losses.append(
          Loss(
            round: phase.round - 1, task: phase.task, step: index + 1, loss: result.loss,
            gradNorm: result.gradientNorm))
      }
      trainer.commit(to: &outcome.adapter)
    }
    for task in specification.tasks {
      guard let first = task.batches.first?.first else { continue }
      let view = AdapterView(
        outcome.adapter, columns: .inference(schedule.viewColumns(of: task.name)),
        configuration: stage.configuration, device: device)
      outcome.logits[task.name] = try stage.allLogits(first.ids, adapter: view).last
    }
    return outcome
  }
}

extension ReferenceReplay.Specification.Sample {
  fileprivate var sequence: TokenSequence {
    TokenSequence(tokens: ids, targets: labels.map { $0 == -100 ? TokenSequence.noTarget : $0 })
  }
}
