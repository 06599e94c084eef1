import StrictYAML
import TaskGraph

/// A workflow: tasks whose answers feed one another, the model that learns them, and how it is trained.
///
/// Read from a YAML file. Every value is checked when it is read, and names that are not fields are refused,
/// so a `Workflow` is always complete and valid. Two workflows are equal when their canonical texts are,
/// wherever their files lie.
package struct Workflow: Sendable {
  /// One task: a question type that the model learns to answer.
  package struct Task: Sendable, Hashable {
    /// The task's name: letters, digits, spaces between them, `_` and `-`. Required.
    package let name: String
    /// What the model is told to do. Required.
    package let instruction: String
    /// The names of the episode's inputs that the task is shown, in this order. Default: none.
    package let inputs: [String]
    /// The tasks whose answers the task reads, in this order. Default: none.
    package let parents: [String]
    /// What is asked in every episode that has no question of its own. Default `nil`: every episode has one.
    package let question: String?
    /// The options of every episode that has none of its own, in the order in which they are shown. Default `nil`: every
    /// episode has its own, or is answered in free text.
    package let options: [String]?
    /// The rank columns that belong to the task. Default `nil`: an equal share of what is left of the rank.
    package let rank: Int?
    /// The planned optimiser steps of each of the task's phases: an easy task needs fewer than a hard one. Default
    /// `nil`: as `training` says.
    package let steps: Int?
    /// The most optimiser steps of each of the task's phases, however it learns. Default `nil`: as `training` says.
    package let maxSteps: Int?

    /// How many options a question can have: one for each letter.
    static let optionCounts = 2...26
  }

  /// The workflow's name. Required.
  package let name: String
  /// A fetched model's name, a GGUF file or a Hugging Face folder, as it is written. Required.
  package let model: String
  /// The folder with `train.jsonl`, `valid.jsonl` and `test.jsonl`, as it is written; `dataFolder` is the
  /// path to open. Required.
  package let data: String
  /// The system prompt of all tasks. Default `nil`: what the model's chat template does without one. An empty
  /// text is an empty system prompt.
  package let system: String?
  /// The tasks, in file order. At least one.
  package let tasks: [Task]
  /// The adapter.
  package let lora: LoRA
  /// How the adapter is trained.
  package let training: Training

  /// The tasks and their edges, validated.
  package let graph: TaskDependencyGraph
  /// Each task's rank columns.
  package let rankBlocks: RankBlocks
  /// The phases of training. With an adaptive frozen ratio, those its initial value gives.
  package let phaseSchedule: PhaseSchedule

  /// The file the workflow came from, as it was named; paths in it are relative to its folder.
  package let file: String
  /// The text the workflow was read from, before overrides.
  let source: String
  /// The overrides that were applied to it, in order.
  package let overrides: [String]

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
  /// - Throws: `FieldError` that names the override.
  package func applying(overrides: [String]) throws(FieldError) -> Workflow {
    try Workflow(yaml: source, file: file, overrides: self.overrides + overrides)
  }

  /// The task of a name; `nil` when there is none.
  package func task(_ name: String) -> Task? { tasks.first { $0.name == name } }
}

extension Workflow: Hashable {
  /// Whether the canonical texts are the same.
  package static func == (a: Workflow, b: Workflow) -> Bool { a.canonicalYAML() == b.canonicalYAML() }

  /// Hashes the canonical text.
  package func hash(into hasher: inout Hasher) { hasher.combine(canonicalYAML()) }
}
