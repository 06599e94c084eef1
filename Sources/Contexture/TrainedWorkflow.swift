import Datasets
import Evaluation
import Foundation
import Prompting
import Runs

/// A trained workflow in memory, ready to answer.
///
/// Any number of tasks may use it at once. Each answer is computed on one thread, and `concurrency` of them at once;
/// further ones wait for their turn.
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
  /// Answers are computed in the number format of the workflow's `training.precision`. With `auto` that is the fastest on
  /// this processor, which need not be the one of the training: probabilities may then differ by roundings.
  ///
  /// - Parameters:
  ///   - path: the run folder. If its training has not ended, the last checkpoint answers.
  ///   - models: the folder of fetched models.
  ///   - concurrency: how many answers are computed at once; `nil` for the number of processors.
  ///   - maximumPromptTokens: a limit on the tokens of a task's prompt; `nil` for the model's context.
  ///   - maximumAnswerTokens: where an answer in free text is cut off.
  /// - Precondition: the numbers are above 0.
  /// - Throws: `InputError` that names the file and what is wrong with it.
  public init(
    contentsOf path: String, models: String = "models", concurrency: Int? = nil,
    maximumPromptTokens: Int? = nil, maximumAnswerTokens: Int = 64
  ) async throws {
    let workers = Workers(count: concurrency ?? ProcessInfo.processInfo.activeProcessorCount)
    let trained = try await workers.run { _ in try Runs.TrainedWorkflow(run: path, models: models) }
    (self.trained, self.workers) = (trained, workers)
    evaluator = trained.evaluator(
      maximumPromptTokens: maximumPromptTokens ?? .max, maximumAnswerTokens: maximumAnswerTokens)
  }

  /// The same for the URL of a run folder.
  public convenience init(
    contentsOf url: URL, models: String = "models", concurrency: Int? = nil,
    maximumPromptTokens: Int? = nil, maximumAnswerTokens: Int = 64
  ) async throws {
    try await self.init(
      contentsOf: url.path, models: models, concurrency: concurrency,
      maximumPromptTokens: maximumPromptTokens, maximumAnswerTokens: maximumAnswerTokens)
  }

  /// The workflow's name.
  public var name: String { trained.workflow.name }
  /// The workflow's tasks, parents before children.
  public var tasks: [WorkflowTask] { trained.workflow.publicTasks }
  /// Whether training was done; otherwise the last checkpoint answers.
  public var isComplete: Bool { trained.isComplete }

  /// Answers every task, each child reading its parents' answers.
  ///
  /// - Parameters:
  ///   - inputs: by name. Every task that is asked in the workflow file needs no more.
  ///   - questions: the questions of single tasks, by task, in place of the workflow file's.
  /// - Throws: `RequestError` if an input or a question is missing or does not fit; another `InputError` if the model's
  ///   file can no longer be read; `CancellationError` if the calling task was cancelled, which ends the work after the
  ///   task of the workflow that is being answered.
  public func answer(_ inputs: [String: String], questions: [String: Question] = [:]) async throws -> Answers
  {
    try await answer(Episode(inputs: inputs, questions: questions))
  }

  /// The same for an episode.
  public func answer(_ episode: Episode) async throws -> Answers {
    let asked = try episode.asked(of: trained.workflow)
    let evaluator = evaluator
    do {
      return try await workers.run { isCancelled in
        Answers(try evaluator.run(asked) { if isCancelled() { throw CancellationError() } })
      }
    } catch let error as PromptError {
      throw RequestError(error) ?? error
    }
  }

  /// Answers the test episodes, with recorded and with predicted answers of the parents, and counts how many are right.
  ///
  /// - Parameters:
  ///   - data: a folder with `test.jsonl`; `nil` for the one that the run was trained with.
  ///   - limit: at most this many episodes.
  /// - Throws: `InputError` that names file, line and what to do; `CancellationError` if the calling task was cancelled,
  ///   which ends the work after some tens of episodes.
  public func evaluate(data: String? = nil, limit: Int? = nil) async throws -> Evaluation {
    let (trained, evaluator) = (trained, evaluator)
    return try await workers.run { isCancelled in
      var episodes = try trained.episodes(.test, data: data)
      if let limit { episodes = Array(episodes.prefix(max(0, limit))) }
      var report = try evaluator.evaluate(episodes, check: { if isCancelled() { throw CancellationError() } })
      // Another data folder may lack the training split.
      if let train = try? trained.episodes(.train, data: data) {
        report.addMajorities(train: train, test: episodes)
      }
      return Evaluation(report)
    }
  }
}
