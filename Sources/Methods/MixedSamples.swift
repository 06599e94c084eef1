import ContextLoRA
import Datasets
import LanguageModels
import Runs
import Tensor

/// The samples of all tasks of a workflow as those of one task, each task with as many as its own phase would take.
final class MixedSamples: WorkflowSamples {
  /// The name of the one task, which no task of a workflow can have.
  static let task = "(all tasks)"
  private let examples: WorkflowExamples
  private let items: [(task: String, episode: Int)]
  private let mixed: MixedValidation?

  /// - Parameter batches: those of all tasks, whose samples are mixed.
  init(_ examples: WorkflowExamples, batches: [TaskBatch]) {
    self.examples = examples
    items = batches.flatMap { batch in batch.episodes.map { (batch.task, $0) } }
    mixed = examples.validation.map { MixedValidation($0, tasks: examples.workflow.tasks.map(\.name)) }
  }

  /// Called with each validation's scores by task.
  var onScores: ([String: ValidationScore]) -> Void {
    get { mixed?.onScores ?? { _ in } }
    set { mixed?.onScores = newValue }
  }

  var sampleCount: Int { items.count }
  var usesPredictions: Bool { false }
  var validation: (any ValidationEpisodes)? { mixed }
  func passes(of _: String) -> [String] { [] }
  func predicts(_: Int, phase _: Int, epoch _: Int) -> Bool { false }

  func sequence(_: String, sample: Int, parentAnswers _: [String: String]?) throws -> TokenSequence {
    try examples.sequence(items[sample].task, sample: items[sample].episode, parentAnswers: nil)
  }

  func longestSequence(_: String) throws -> Int {
    try examples.workflow.tasks.map { try examples.longestSequence($0.name) }.max() ?? 0
  }

  func validationSequences(_: String) throws -> [TokenSequence] {
    try examples.workflow.tasks.flatMap { try examples.validationSequences($0.name) }
  }
}

/// A batch of one task.
struct TaskBatch {
  let task: String
  let episodes: [Int]
}

/// The validation questions of all tasks as those of one.
final class MixedValidation: ValidationEpisodes {
  private let validation: any ValidationEpisodes
  private let tasks: [String]
  /// Called with each validation's scores by task.
  var onScores: ([String: ValidationScore]) -> Void = { _ in }

  init(_ validation: any ValidationEpisodes, tasks: [String]) {
    (self.validation, self.tasks) = (validation, tasks)
  }

  func questions(task _: String) throws -> [ScoreRequest] {
    try tasks.flatMap { try validation.questions(task: $0) }
  }

  func score(task _: String, _ scores: [[[TokenScore]]]) -> ValidationScore {
    let count = scores.count / max(tasks.count, 1)
    return combined(
      Dictionary(
        uniqueKeysWithValues: tasks.enumerated().map { index, task in
          (task, validation.score(task: task, Array(scores[index * count..<(index + 1) * count])))
        }))
  }

  /// The tasks' scores as one; every task has the same weight.
  func combined(_ scores: [String: ValidationScore]) -> ValidationScore {
    onScores(scores)
    let all = tasks.compactMap { scores[$0] }
    return ValidationScore(
      loss: all.reduce(0) { $0 + $1.loss } / Double(max(all.count, 1)),
      correct: all.reduce(0) { $0 + $1.correct }, count: all.reduce(0) { $0 + $1.count })
  }

  func majority(task _: String) -> Double {
    tasks.reduce(0) { $0 + validation.majority(task: $1) } / Double(max(tasks.count, 1))
  }
}
