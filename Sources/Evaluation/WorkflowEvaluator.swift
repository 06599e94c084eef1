import Datasets
import LanguageModels
import Prompting
import Workflows

/// Evaluates a workflow task by task, once with the parents' gold answers and once with their predicted
/// answers.
package struct WorkflowEvaluator: Sendable {
  let workflow: Workflow
  let predictor: AnswerPredictor
  let view: @Sendable (String) -> DeviceAdapter?

  /// - Parameter view: returns the adapter's active columns for a task, or `nil` for the base model.
  package init(
    workflow: Workflow, predictor: AnswerPredictor, view: @escaping @Sendable (String) -> DeviceAdapter?
  ) {
    self.workflow = workflow
    self.predictor = predictor
    self.view = view
  }

  /// Evaluates every task, parents before children.
  ///
  /// If the parents' predicted answers equal the gold ones, or there are no parents, the prompt is the same,
  /// and the answer with gold parents' answers is used for both.
  ///
  /// All episodes are rendered before the first is answered. Answers of parents that make a prompt too long are
  /// shortened (``TaskAnswer/isPromptCut``).
  ///
  /// - Parameters:
  ///   - onTask: called before each pass over the episodes with the task's name, whether its parents' answers
  ///     are the predicted ones, the number of completed passes and the number of all passes. An error that
  ///     it throws ends the evaluation.
  ///   - check: called after every few episodes, also while they are rendered. An error that it throws ends the evaluation.
  ///   - onAnswers: called with each task's answers (one per episode) given gold and given predicted parents'
  ///     answers, and with the predicted answers that the latter read, by parent.
  ///   - known: answers to a task with gold parents' answers, one per episode, that were predicted before with the same
  ///     values, with the options scored in all ways; `nil` if there are none.
  ///   - onRendering: called now and then with the episodes' file, the number of rendered episodes and of all. An
  ///     error that it throws ends the evaluation.
  /// - Throws: `PromptMistakes` or `PromptError` if episodes cannot be rendered; `Refusal` if the model's scores are
  ///   not numbers; any error of reading the model's file.
  package func evaluate(
    _ episodes: [Episode],
    onTask: (_ task: String, _ chained: Bool, _ done: Int, _ all: Int) throws -> Void = { _, _, _, _ in },
    check: () throws -> Void = {},
    onAnswers: (_ task: String, _ gold: [TaskAnswer], _ chained: [TaskAnswer], _ read: [[String: String]])
      -> Void = { _, _, _, _ in },
    known: (_ task: String) -> [TaskAnswer]? = { _ in nil },
    onRendering: (_ path: String, _ done: Int, _ all: Int) throws -> Void = { _, _, _ in }
  ) throws -> EvaluationReport {
    let file = episodes.lazy.compactMap(\.origin?.path).first ?? "the episodes"
    try predictor.check(episodes, in: file) { done, all in
      try check()
      try onRendering(file, done, all)
    }
    let order = workflow.graph.topologicalOrder
    let passes = order.count + order.filter { !workflow.graph.parents(of: $0).isEmpty }.count
    var done = 0
    var chainedTexts = [[String: String]](repeating: [:], count: episodes.count)
    var reports: [String: TaskReport] = [:]
    var isAllRight = [Bool](repeating: true, count: episodes.count)
    for name in order {
      let parents = workflow.graph.parents(of: name)
      let taskView = view(name)
      try onTask(name, false, done, passes)
      let goldTexts = episodes.map { $0.goldAnswers(of: parents) }
      let gold =
        try known(name)
        ?? predictor.answers(
          task: name, episodes: episodes, parentAnswers: goldTexts, view: taskView, check: check)
      done += 1
      let ownTexts = chainedTexts.map { texts in
        Dictionary(parents.compactMap { name in texts[name].map { (name, $0) } }, uniquingKeysWith: { $1 })
      }
      var chained = gold
      if !parents.isEmpty {
        try onTask(name, true, done, passes)
        let others = episodes.indices.filter { ownTexts[$0] != goldTexts[$0] }
        let answers = try predictor.answers(
          task: name, episodes: others.map { episodes[$0] }, parentAnswers: others.map { ownTexts[$0] },
          view: taskView, check: check)
        for (place, answer) in zip(others, answers) { chained[place] = answer }
        done += 1
      }
      onAnswers(name, gold, chained, ownTexts)
      for (index, answer) in chained.enumerated() {
        chainedTexts[index][name] = answer.text
        isAllRight[index] = isAllRight[index] && episodes[index].isRight(answer, task: name) == true
      }
      reports[name] = TaskReport(
        task: name, parents: parents, gold: Scores(gold, task: name, episodes: episodes),
        chained: Scores(chained, task: name, episodes: episodes))
    }
    return EvaluationReport(
      workflow: workflow.name, episodes: episodes.count,
      allRight: isAllRight.count { $0 }, tasks: workflow.tasks.compactMap { reports[$0.name] })
  }
}
