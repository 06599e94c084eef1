import Datasets
import Evaluation
import Foundation
import Prompting
import Runs

/// A trained workflow in memory, ready to answer.
///
/// It is safe to use from any number of Swift tasks. Each request runs on one thread, up to `concurrency` at
/// once; further requests wait.
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

  /// Loads a run folder written by ``TrainingRun`` or `contexture train`.
  ///
  /// Answers are computed in the number format of the workflow's `training.precision`. With `auto`, that is
  /// the fastest format of this CPU. It may differ from the one used in training, so probabilities may differ
  /// by rounding.
  ///
  /// - Parameters:
  ///   - path: the run folder. If training is not complete, its last checkpoint is used.
  ///   - models: the folder of fetched models.
  ///   - concurrency: the maximum number of requests computed at once; `nil` for the number of CPU cores.
  ///   - maximumPromptTokens: the token limit of a task's prompt with its options; `nil` for the model's
  ///     context.
  ///   - maximumAnswerTokens: the token limit of a free-text answer; `nil` for `maxTokens` of each task in the
  ///     workflow file, which is 64 by default.
  /// - Precondition: the numbers are above 0.
  /// - Throws: `InputError`, with the file, the problem and the fix.
  public init(
    contentsOf path: String, models: String = "models", concurrency: Int? = nil,
    maximumPromptTokens: Int? = nil, maximumAnswerTokens: Int? = nil
  ) async throws {
    let workers = Workers(count: concurrency ?? ProcessInfo.processInfo.activeProcessorCount)
    let trained = try await workers.run { _ in try Runs.TrainedWorkflow(run: path, models: models) }
    (self.trained, self.workers) = (trained, workers)
    evaluator = trained.evaluator(
      maximumPromptTokens: maximumPromptTokens ?? .max, maximumAnswerTokens: maximumAnswerTokens)
  }

  /// Loads a run folder given by its file URL, as
  /// ``init(contentsOf:models:concurrency:maximumPromptTokens:maximumAnswerTokens:)``.
  public convenience init(
    contentsOf url: URL, models: String = "models", concurrency: Int? = nil,
    maximumPromptTokens: Int? = nil, maximumAnswerTokens: Int? = nil
  ) async throws {
    try await self.init(
      contentsOf: url.path, models: models, concurrency: concurrency,
      maximumPromptTokens: maximumPromptTokens, maximumAnswerTokens: maximumAnswerTokens)
  }

  /// The workflow's name.
  public var name: String { trained.workflow.name }
  /// The workflow's tasks, parents before children.
  public var tasks: [WorkflowTask] { trained.workflow.publicTasks }
  /// Whether training is complete; otherwise the last checkpoint is used.
  public var isComplete: Bool { trained.isComplete }

  /// Answers every task, each child reading its parents' answers.
  ///
  /// - Parameters:
  ///   - inputs: the input texts, by input name.
  ///   - questions: questions by task name, which replace the workflow file's. Required for tasks that have
  ///     none there.
  /// - Throws: `RequestError` if the request is invalid; another `InputError` if the model's file has
  ///   been written to or can no longer be read; `CancellationError` if the calling Swift task is cancelled, which takes effect before
  ///   the next task of the workflow.
  public func answer(_ inputs: [String: String], questions: [String: Question] = [:]) async throws -> Answers
  {
    try await answer(Episode(inputs: inputs, questions: questions))
  }

  /// Answers every task of an episode, each child reading its parents' answers.
  ///
  /// - Throws: as ``answer(_:questions:)``.
  public func answer(_ episode: Episode) async throws -> Answers {
    let asked = try episode.asked(of: trained.workflow)
    let (trained, evaluator) = (trained, evaluator)
    do {
      return try await workers.run { isCancelled in
        let answered = try evaluator.run(asked) { if isCancelled() { throw CancellationError() } }
        try trained.material.checkUnchanged()
        return Answers(answered)
      }
    } catch let error as PromptError {
      throw RequestError(error) ?? error
    }
  }

  /// Measures accuracy on the test episodes, with the parents' gold and with their predicted answers.
  ///
  /// - Parameters:
  ///   - data: a folder with `test.jsonl`; `nil` for the data folder of the training.
  ///   - limit: the maximum number of episodes; `nil` for all.
  /// - Throws: `InputError`, with the file, the line and the fix; `CancellationError` if the calling Swift
  ///   task is cancelled, which takes effect within about a hundred answers.
  public func evaluate(data: String? = nil, limit: Int? = nil) async throws -> Evaluation {
    let (trained, evaluator) = (trained, evaluator)
    return try await workers.run { isCancelled in
      var episodes = try trained.episodes(.test, data: data)
      if let limit { episodes = Array(episodes.prefix(max(0, limit))) }
      var report = try evaluator.evaluate(episodes, check: { if isCancelled() { throw CancellationError() } })
      try trained.material.checkUnchanged()
      // Another data folder may have no training split.
      if let train = try? trained.table(.train, data: data) {
        report.addMajorities(train: train, test: episodes)
      }
      return Evaluation(report)
    }
  }
}
