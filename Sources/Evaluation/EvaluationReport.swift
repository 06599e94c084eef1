import Datasets
import Foundation
import TextTables

/// One task's scores.
package struct TaskReport: Sendable, Equatable, Codable {
  package var task: String
  /// The tasks whose answers the task reads.
  package var parents: [String]
  /// The scores with the parents' gold answers.
  package var gold: Scores
  /// The scores with the parents' predicted answers; equal to `gold` if the task has no parents.
  package var chained: Scores

  /// The accuracy of always giving the answer that is most frequent in training; `nil` if it is unknown.
  package var majority: Double?

  /// Whether the accuracy with gold parents' answers is significantly better than that of the most frequent
  /// answer; `nil` if the latter is unknown.
  package var isLearnt: Bool? {
    majority.map { MajorityTest.isBetter(correct: gold.correct, of: gold.count, than: $0) }
  }

  /// The accuracy lost to predicted parents' answers: gold minus chained accuracy.
  package var compositionGap: Double { gold.accuracy - chained.accuracy }

  package init(task: String, parents: [String], gold: Scores, chained: Scores) {
    self.task = task
    self.parents = parents
    self.gold = gold
    self.chained = chained
  }
}

/// A workflow's scores.
package struct EvaluationReport: Sendable, Equatable, Codable {
  /// The workflow's name.
  package var workflow: String
  /// The number of evaluated episodes.
  package var episodes: Int
  /// The number of episodes with every task right, given the parents' predicted answers.
  package var allRight: Int
  /// The tasks' scores, in the order of the workflow.
  package var tasks: [TaskReport]

  package init(workflow: String, episodes: Int, allRight: Int, tasks: [TaskReport]) {
    self.workflow = workflow
    self.episodes = episodes
    self.allRight = allRight
    self.tasks = tasks
  }

  /// Compares every task with the answer that is most frequent in training.
  ///
  /// - Parameters:
  ///   - train: the training episodes.
  ///   - test: the evaluated episodes.
  package mutating func addMajorities(
    train: some RandomAccessCollection<Episode>, test: some RandomAccessCollection<Episode>
  ) {
    for index in tasks.indices {
      tasks[index].majority = ShortcutBaselines.majority(task: tasks[index].task, train: train, test: test)
    }
  }

  /// A readable table, with shares in percent: one row per task, plus one with predicted parents' answers if
  /// it has parents.
  package var text: String {
    let hasCuts = tasks.contains { $0.gold.cutAnswers + $0.chained.cutAnswers > 0 }
    var rows = [["task", "parents", "right", "answer", "95 %", "letter", "text", "text/char", "gap, points"]]
    if hasCuts { rows[0].append("cut") }
    func add(_ row: [String], _ scores: Scores) {
      rows.append(row + (hasCuts ? ["\(scores.cutAnswers)"] : []))
    }
    for task in tasks {
      let isRoot = task.parents.isEmpty
      add(Self.row(task.task, isRoot ? "none" : "gold", task.gold, gap: nil), task.gold)
      if !isRoot { add(Self.row("", "chained", task.chained, gap: task.compositionGap), task.chained) }
    }
    return "\(workflow), \(episodes) episode\(episodes == 1 ? "" : "s"), accuracies in %\n\n"
      + TextTable.aligned(rows, right: Set(2...9))
      + "\n\nEvery task right, chained: \(allRight)/\(episodes)\n"
      + tasks.map { Self.cuts($0) + Self.notLearnt($0) }.joined()
  }

  /// A line for each kind of cut that a task had.
  private static func cuts(_ task: TaskReport) -> String {
    var text = ""
    if let most = [task.gold, task.chained].filter({ $0.cutAnswers > 0 }).max(by: {
      $0.cutAnswers < $1.cutAnswers
    }) {
      text +=
        "\(task.task): \(most.cutAnswers) of \(most.count) answers had not ended at the token limit, or "
        + "at the end of the model's context (column cut); if the gold answers are longer, raise "
        + "tasks.\(task.task).maxTokens and train again\n"
    }
    if task.chained.cutPrompts > 0 {
      text +=
        "\(task.task): in \(task.chained.cutPrompts) of \(task.chained.count) chained prompts, the parents' answers "
        + "were shortened to fit the model's context; lower the parents' maxTokens and train again\n"
    }
    return text
  }

  /// A warning line if the task was not learnt, otherwise an empty string.
  private static func notLearnt(_ task: TaskReport) -> String {
    guard let majority = task.majority, task.isLearnt == false else { return "" }
    func whole(_ share: Double) -> String { String(format: "%.0f %%", 100 * share) }
    return
      "\(task.task): \(whole(task.gold.accuracy)), the majority answer scores \(whole(majority)): "
      + "not learnt; train it longer (tasks.\(task.task).steps, training.budget) or with a higher "
      + "training.learningRate\n"
  }

  private static func row(_ task: String, _ parents: String, _ scores: Scores, gap: Double?) -> [String] {
    let interval = scores.interval
    return [
      task, parents, "\(scores.correct)/\(scores.count)", percent(scores.accuracy),
      percent(interval.lowerBound) + "–" + percent(interval.upperBound), percent(scores.letterAccuracy),
      percent(scores.textAccuracy), percent(scores.textPerCharacterAccuracy), gap.map(percent) ?? "",
    ]
  }

  private static func percent(_ share: Double?) -> String { share.map(percent) ?? "-" }

  private static func percent(_ share: Double) -> String {
    // A small negative gap may round to "-0.0".
    let text = String(format: "%.1f", 100 * share)
    return text == "-0.0" ? "0.0" : text
  }

  /// The report as one JSON object: the counts, and the accuracies, intervals and gaps computed from them.
  package var json: String {
    let object: [String: Any] = [
      "workflow": workflow, "episodes": episodes, "allRight": allRight,
      "tasks": tasks.map { task -> [String: Any] in
        var object: [String: Any] = [
          "task": task.task, "parents": task.parents, "gold": Self.object(task.gold),
          "chained": Self.object(task.chained), "compositionGap": task.compositionGap,
        ]
        object["majority"] = task.majority
        object["learnt"] = task.isLearnt
        return object
      },
    ]
    guard
      let data = try? JSONSerialization.data(withJSONObject: object, options: [.sortedKeys, .prettyPrinted])
    else { preconditionFailure("counts and finite numbers can be written as JSON") }
    return String(decoding: data, as: UTF8.self)
  }

  private static func object(_ scores: Scores) -> [String: Any] {
    var object: [String: Any] = [
      "count": scores.count, "correct": scores.correct, "multipleChoice": scores.multipleChoice,
      "letterCorrect": scores.letterCorrect, "textCorrect": scores.textCorrect,
      "textPerCharacterCorrect": scores.textPerCharacterCorrect, "accuracy": scores.accuracy,
      "cutAnswers": scores.cutAnswers, "cutPrompts": scores.cutPrompts,
      "interval95": [scores.interval.lowerBound, scores.interval.upperBound],
    ]
    object["letterAccuracy"] = scores.letterAccuracy
    object["textAccuracy"] = scores.textAccuracy
    object["textPerCharacterAccuracy"] = scores.textPerCharacterAccuracy
    return object
  }
}
