import TaskGraph

/// A workflow: tasks whose answers feed one another, the model that learns them, and how it is trained.
///
/// Read from a YAML file. Every value is checked when it is read, and names that are not fields are refused,
/// so a `Workflow` is always complete and valid. Two workflows are equal when their canonical texts are,
/// wherever their files lie.
public struct Workflow: Sendable {
  /// One task: a question type that the model learns to answer.
  public struct Task: Sendable, Hashable {
    /// The task's name: letters, digits, spaces between them, `_` and `-`. Required.
    public let name: String
    /// What the model is told to do. Required.
    public let instruction: String
    /// The names of the episode's inputs that the task is shown, in this order. Default: none.
    public let inputs: [String]
    /// The tasks whose answers the task reads, in this order. Default: none.
    public let parents: [String]
    /// The rank columns that belong to the task. Default `nil`: an equal share of what is left of the rank.
    public let rank: Int?
    /// The planned optimiser steps of each of the task's phases: an easy task needs fewer than a hard one. Default
    /// `nil`: as `training` says.
    public let steps: Int?
    /// The most optimiser steps of each of the task's phases, however it learns. Default `nil`: as `training` says.
    public let maxSteps: Int?
  }

  /// The workflow's name. Required.
  public let name: String
  /// A fetched model's name, a GGUF file or a Hugging Face folder, as it is written. Required.
  public let model: String
  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as it is written; `dataFolder` is the
  /// path to open. Required.
  public let data: String
  /// The system prompt of all tasks. Default `nil`: what the model's chat template does without one. An empty
  /// text is an empty system prompt.
  public let system: String?
  /// The tasks, in file order. At least one.
  public let tasks: [Task]
  /// The adapter.
  public let lora: LoRA
  /// How the adapter is trained.
  public let training: Training

  /// The tasks and their edges, validated.
  public let graph: TaskDependencyGraph
  /// Each task's rank columns.
  public let rankBlocks: RankBlocks
  /// The phases of training. With an adaptive frozen ratio, those its initial value gives.
  public let phaseSchedule: PhaseSchedule

  /// The file the workflow came from, as it was named; paths in it are relative to its folder.
  public let file: String
  /// The text the workflow was read from, before overrides.
  let source: String
  /// The overrides that were applied to it, in order.
  public let overrides: [String]

  init(
    name: String, model: String, data: String, system: String?, tasks: [Task], lora: LoRA, training: Training,
    graph: TaskDependencyGraph, rankBlocks: RankBlocks, phaseSchedule: PhaseSchedule, file: String,
    source: String, overrides: [String]
  ) {
    self.name = name
    self.model = model
    self.data = data
    self.system = system
    self.tasks = tasks
    self.lora = lora
    self.training = training
    self.graph = graph
    self.rankBlocks = rankBlocks
    self.phaseSchedule = phaseSchedule
    self.file = file
    self.source = source
    self.overrides = overrides
  }

  /// The workflow with more values overridden, in order, after those it was read with.
  ///
  /// - Parameter overrides: dotted paths and YAML values, as in `training.learningRate=5e-4`,
  ///   `tasks.decide.rank=8` or `training.betas=[0.9, 0.99]`. They change the text's values before these
  ///   are checked, so the same rules hold as for the file.
  /// - Throws: `WorkflowError` that names the override.
  public func applying(overrides: [String]) throws(WorkflowError) -> Workflow {
    try Workflow(yaml: source, file: file, overrides: self.overrides + overrides)
  }

  /// The task of a name; `nil` when there is none.
  public func task(_ name: String) -> Task? { tasks.first { $0.name == name } }
}

extension Workflow: Hashable {
  /// Whether the canonical texts are the same.
  public static func == (a: Workflow, b: Workflow) -> Bool { a.canonicalYAML() == b.canonicalYAML() }

  /// Hashes the canonical text.
  public func hash(into hasher: inout Hasher) { hasher.combine(canonicalYAML()) }
}
