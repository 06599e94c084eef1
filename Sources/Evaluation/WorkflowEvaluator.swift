import Datasets
import LanguageModels
import Prompting
import Workflows

/// Measures a workflow task by task, once with gold parents' answers and once with the model's own.
public struct WorkflowEvaluator: Sendable {
  let workflow: Workflow
  let predictor: AnswerPredictor
  let view: @Sendable (String) -> AdapterView?

  /// `view` gives the columns each task sees; `nil` for the base model.
  public init(
    workflow: Workflow, predictor: AnswerPredictor, view: @escaping @Sendable (String) -> AdapterView?
  ) {
    self.workflow = workflow
    self.predictor = predictor
    self.view = view
  }

  /// Evaluates every task, parents before children.
  ///
  /// A task without parents is scored once: its gold and chained answers are the same.
  ///
  /// - Parameter onTask: told before each pass over the episodes: the task's name, whether its parents'
  ///   answers are the model's own, and how many of all passes are done. What it throws ends the evaluation.
  /// - Throws: `PromptError` where an episode cannot be rendered, or what the model's file throws.
  public func evaluate(
    _ episodes: [Episode], onTask: (_ task: String, _ chained: Bool, _ done: Int, _ all: Int) throws -> Void
  ) throws -> EvaluationReport {
    let order = workflow.graph.topologicalOrder
    let passes = order.count + order.filter { !workflow.graph.parents(of: $0).isEmpty }.count
    var done = 0
    var chainedTexts = [[String: String]](repeating: [:], count: episodes.count)
    var reports: [String: TaskReport] = [:]
    for name in order {
      let parents = workflow.graph.parents(of: name)
      let taskView = view(name)
      try onTask(name, false, done, passes)
      let gold = try predictor.answers(
        task: name, episodes: episodes, parentAnswers: episodes.map { $0.goldAnswers(of: parents) },
        view: taskView)
      done += 1
      var chained = gold
      if !parents.isEmpty {
        try onTask(name, true, done, passes)
        chained = try predictor.answers(
          task: name, episodes: episodes,
          parentAnswers: chainedTexts.map { texts in texts.filter { parents.contains($0.key) } },
          view: taskView)
        done += 1
      }
      for (index, answer) in chained.enumerated() { chainedTexts[index][name] = answer.text }
      reports[name] = TaskReport(
        task: name, parents: parents, gold: Scores(gold, task: name, episodes: episodes),
        chained: Scores(chained, task: name, episodes: episodes))
    }
    return EvaluationReport(
      workflow: workflow.name, episodes: episodes.count,
      tasks: workflow.tasks.compactMap { reports[$0.name] })
  }
}
