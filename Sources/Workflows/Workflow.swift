import StrictYAML
import TaskGraph

/// A workflow: tasks that read each other's answers, the model that learns them, and how it is trained.
///
/// Decoded from a YAML file. Every value is checked and unknown fields are refused, so a `Workflow` is always
/// complete and valid. Two workflows are equal if their canonical texts are equal, wherever their files are.
package struct Workflow: Sendable {
  /// One task: a type of question that the model learns to answer.
  package struct TaskDefinition: Sendable, Hashable {
    /// The task's name: letters, digits, `_`, `-`, and spaces between them. Required.
    package let name: String
    /// The instruction to the model. Required.
    package let instruction: String
    /// The names of the episode's inputs that the task reads, in this order. Default: none.
    package let inputs: [String]
    /// The tasks whose answers the task reads, in this order. Default: none.
    package let parents: [String]
    /// The question in every episode that has none of its own. Default `nil`: every episode has one.
    package let question: String?
    /// The options in every episode that has none of its own, in display order. Default `nil`: every episode
    /// has its own options or a free-text answer.
    package let options: [String]?
    /// The limit on the tokens of a free-text answer. Default `nil`: ``defaultMaxTokens``.
    package let maxTokens: Int?
    /// The number of rank columns of the task. Default `nil`: an equal share of the rest of the total rank.
    package let rank: Int?
    /// The planned optimiser steps of each phase of the task; an easy task needs fewer than a hard one.
    /// Default `nil`: as in `training`.
    package let steps: Int?
    /// The upper limit on the optimiser steps of each phase of the task, however it learns. Default `nil`: as
    /// in `training`.
    package let maxSteps: Int?

    /// The permitted numbers of options: one letter for each.
    static let optionCounts = 2...26
    /// The limit on the tokens of a free-text answer if the task has none of its own.
    package static let defaultMaxTokens = 64
    /// The upper limit on ``maxTokens``.
    static let maximumTokens = 1_000_000

    /// The limit on the tokens of a free-text answer.
    package var answerTokens: Int { maxTokens ?? Self.defaultMaxTokens }
  }

  /// The workflow's name. Required.
  package let name: String
  /// A fetched model's name, a GGUF file or a Hugging Face folder, as written in the file. Required.
  package let model: String
  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as written in the file; `dataFolder` is
  /// the path to open. Required.
  package let data: String
  /// The system prompt of all tasks. Default `nil`: whatever the model's chat template does without one. An
  /// empty text is an empty system prompt.
  package let system: String?
  /// The tasks, in file order. At least one.
  package let tasks: [TaskDefinition]
  /// The adapter.
  package let lora: LoRA
  /// How the adapter is trained.
  package let training: Training

  /// The tasks and their edges, validated.
  package let graph: TaskDependencyGraph
  /// The rank columns of each task.
  package let rankBlocks: RankBlocks
  /// The training phases. With an adaptive frozen ratio, the phases for its initial value.
  package let phaseSchedule: PhaseSchedule

  /// The workflow file's name as the user gave it. Paths in the file are relative to its folder.
  package let file: String
  /// The YAML text before overrides.
  let source: String
  /// Whether `model` is from an override.
  let isModelOverridden: Bool
  /// The overrides that were applied, in order.
  package let overrides: [String]

  init(
    name: String, model: String, data: String, system: String?, tasks: [TaskDefinition], lora: LoRA,
    training: Training,
    graph: TaskDependencyGraph, rankBlocks: RankBlocks, phaseSchedule: PhaseSchedule, file: String,
    source: String, isModelOverridden: Bool, overrides: [String]
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
    self.isModelOverridden = isModelOverridden
    self.overrides = overrides
  }

  /// The workflow with additional overrides, applied in order after the existing ones.
  ///
  /// - Parameter overrides: dotted paths and YAML values, such as `training.learningRate=5e-4`,
  ///   `tasks.decide.rank=8` or `training.betas=[0.9, 0.99]`. They replace values of the YAML tree before it
  ///   is checked, so the same rules apply as to the file.
  /// - Throws: `FieldError` that names the override.
  package func applying(overrides: [String]) throws(FieldError) -> Workflow {
    try Workflow(yaml: source, file: file, overrides: self.overrides + overrides)
  }

  /// The task with a name; `nil` if there is none.
  package func task(_ name: String) -> TaskDefinition? { graph.position(of: name).map { tasks[$0] } }
}

extension Workflow: Hashable {
  /// Whether the canonical texts are equal.
  package static func == (a: Workflow, b: Workflow) -> Bool { a.canonicalYAML() == b.canonicalYAML() }

  package func hash(into hasher: inout Hasher) { hasher.combine(canonicalYAML()) }
}
