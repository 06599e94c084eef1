import Datasets
import Evaluation
import Foundation
import Prompting
import Runs

/// A trained workflow in memory, ready to answer.
///
/// Any number of tasks may use it at once. Each answer is computed on one thread, and as many at once as the machine has
/// processors; further ones wait for their turn.
///
/// ```swift
/// let workflow = try await TrainedWorkflow(contentsOf: "runs/iov")
/// let answers = try await workflow.answer(["scene": scene, "motion": motion])
/// print(answers["decide"].text, answers["decide"].probability)
/// ```
public final class TrainedWorkflow: Sendable {
  private let trained: Runs.TrainedWorkflow
  private let evaluator: WorkflowEvaluator
  private let workers: Workers

  /// Loads a run folder that `TrainingRun` or `contexture train` has made.
  ///
  /// - Parameters:
  ///   - path: the run folder. If its training has not ended, the last checkpoint answers.
  ///   - models: the folder of fetched models.
  /// - Throws: `InputError` that names the file and what is wrong with it.
  public init(contentsOf path: String, models: String = "models") async throws {
    let workers = Workers()
    let trained = try await workers.run { _ in try Runs.TrainedWorkflow(run: path, models: models) }
    (self.trained, self.workers) = (trained, workers)
    evaluator = trained.evaluator()
  }

  /// The workflow as it was trained.
  public var workflow: Workflow { Workflow(trained.loaded.workflow) }
  /// Whether training was done; otherwise the last checkpoint answers.
  public var isComplete: Bool { trained.isComplete }

  /// Answers every task, each child reading its parents' answers.
  ///
  /// - Parameters:
  ///   - inputs: by name. Every task that is asked in the workflow file needs no more.
  ///   - questions: the questions of single tasks, by task, in place of the workflow file's.
  /// - Throws: `InputError` if an input or a question is missing or does not fit the model's context;
  ///   `CancellationError` if the calling task was cancelled, which ends the work after the task of the workflow that is
  ///   being answered.
  public func answer(_ inputs: [String: String], questions: [String: Question] = [:]) async throws -> Answers
  {
    try await answer(Episode(inputs: inputs, questions: questions))
  }

  /// The same for an episode.
  public func answer(_ episode: Episode) async throws -> Answers {
    let asked = try trained.episode(
      id: episode.id, inputs: episode.inputs,
      questions: episode.questions.mapValues { EpisodeSchema.Question(text: $0.text, options: $0.options) })
    let evaluator = evaluator
    return try await workers.run { isCancelled in
      Answers(try evaluator.run(asked) { if isCancelled() { throw CancellationError() } })
    }
  }

  /// Answers the test episodes, with recorded and with predicted answers of the parents, and counts how many are right.
  ///
  /// - Parameters:
  ///   - data: a folder with `test.jsonl`; `nil` for the one that the run was trained with.
  ///   - limit: at most this many episodes.
  /// - Throws: `InputError` that names file, line and what to do; `CancellationError` between two tasks.
  public func evaluate(data: String? = nil, limit: Int? = nil) async throws -> Evaluation {
    let (trained, evaluator) = (trained, evaluator)
    return try await workers.run { isCancelled in
      var episodes = try trained.episodes(.test, data: data)
      if let limit { episodes = Array(episodes.prefix(max(0, limit))) }
      return Evaluation(
        try evaluator.evaluate(
          episodes, onTask: { _, _, _, _ in if isCancelled() { throw CancellationError() } }))
    }
  }
}
