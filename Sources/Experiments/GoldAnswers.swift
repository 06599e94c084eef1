import ContextLoRA
import Datasets
import Evaluation
import LanguageModels
import Methods
import TaskGraph

/// Predicts tasks' answers with gold parents' answers. Remembers the latest ones of each task, because the values that
/// answer it often do not change after its training.
final class GoldAnswers {
  let episodes: [Episode]
  let predictor: AnswerPredictor
  private let graph: TaskDependencyGraph
  private let model: LlamaModel
  private var latest: [String: (values: Int, answers: [TaskAnswer])] = [:]

  init(episodes: [Episode], graph: TaskDependencyGraph, model: LlamaModel, predictor: AnswerPredictor) {
    (self.episodes, self.graph, self.model, self.predictor) = (episodes, graph, model, predictor)
  }

  /// Predicts the answers to a task, one per episode.
  ///
  /// - Parameter check: called after every few episodes. An error that it throws ends the work.
  func predict(_ task: String, _ view: FittedMethod.View, check: () throws -> Void) throws -> [TaskAnswer] {
    let parents = graph.parents(of: task)
    let answers = try predictor.answers(
      task: task, episodes: episodes, parentAnswers: episodes.map { $0.goldAnswers(of: parents) },
      view: model.view(of: view.adapter, .inference(view.columns)), check: check)
    latest[task] = (Self.digest(of: view), answers)
    return answers
  }

  /// The latest answers to a task if they were predicted with the same values.
  func known(_ task: String, _ view: FittedMethod.View) -> [TaskAnswer]? {
    guard let latest = latest[task], latest.values == Self.digest(of: view) else { return nil }
    return latest.answers
  }

  /// A hash of the values that a view computes with.
  private static func digest(of view: FittedMethod.View) -> Int {
    var hasher = Hasher()
    hasher.combine(view.columns)
    ColumnValues(of: view.columns, in: view.adapter).flat.withUnsafeBytes { hasher.combine(bytes: $0) }
    return hasher.finalize()
  }
}
