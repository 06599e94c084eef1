import Datasets
import Foundation
import LanguageModels
import Prompting
import Workflows

/// One task of an answered episode.
package struct AnsweredTask: Sendable, Equatable, Codable {
  /// The task.
  package var task: String
  /// What it read from its parents, in the order it lists them.
  package var parents: [ParentAnswer]
  /// Its answer.
  package var answer: TaskAnswer
  /// The recorded answer's text; `nil` where none is recorded.
  package var expected: String?
  /// Whether the answer is the recorded one; free text by normalised exact match. `nil` where none is recorded.
  package var isRight: Bool?
  /// Wall time in seconds, with rendering and tokenising.
  package var seconds: Double

  /// Takes the parts.
  package init(
    task: String, parents: [ParentAnswer], answer: TaskAnswer, expected: String?, isRight: Bool?,
    seconds: Double
  ) {
    self.task = task
    self.parents = parents
    self.answer = answer
    self.expected = expected
    self.isRight = isRight
    self.seconds = seconds
  }

  /// An answer as a child reads it.
  package struct ParentAnswer: Sendable, Equatable, Codable {
    /// The parent.
    package var task: String
    /// Its answer.
    package var text: String

    /// Takes the parts.
    package init(task: String, text: String) {
      self.task = task
      self.text = text
    }
  }
}

/// An episode answered by a workflow, each child reading its parents' answers.
package struct WorkflowRun: Sendable, Equatable, Codable {
  /// The workflow's name.
  package var workflow: String
  /// The episode's identifier.
  package var episode: String
  /// In the order in which they were answered: parents before children.
  package var tasks: [AnsweredTask]

  /// Takes the parts.
  package init(workflow: String, episode: String, tasks: [AnsweredTask]) {
    self.workflow = workflow
    self.episode = episode
    self.tasks = tasks
  }

  /// The run as people read it.
  package var text: String {
    var lines = ["\(workflow), episode \(episode)"]
    for task in tasks {
      lines.append("")
      lines.append("\(task.task): \(task.answer.text)")
      for parent in task.parents { lines.append("  read \(parent.task): \(parent.text)") }
      if let expected = task.expected {
        lines.append("  recorded: " + (task.isRight == true ? "the same" : expected))
      }
      if task.answer.isCut {
        lines.append("  cut: it had not ended after the most tokens that an answer has")
      }
      lines.append(
        String(format: "  probability %.3f, %.1f ms", task.answer.probability, 1000 * task.seconds))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Episode {
  /// Whether an answer to `task` is the recorded one, free text by normalised exact match; `nil` where none is
  /// recorded.
  func isRight(_ answer: TaskAnswer, task: String) -> Bool? {
    switch tasks[task]?.answer {
    case .unknown, nil: nil
    case .option(let index): answer.choice?.reply.best == index
    case .text(let expected): AnswerMatching.matches(answer.text, expected)
    }
  }
}

extension WorkflowEvaluator {
  /// Answers one episode task by task, each child reading its parents' answers.
  ///
  /// - Parameter beforeTask: called before each task; what it throws ends the run.
  /// - Throws: `PromptError` where the episode cannot be rendered, or what the model's file throws.
  package func run(_ episode: Episode, beforeTask: () throws -> Void = {}) throws -> WorkflowRun {
    var texts: [String: String] = [:]
    var tasks: [AnsweredTask] = []
    for name in workflow.graph.topologicalOrder {
      try beforeTask()
      let parents = workflow.graph.parents(of: name).map {
        AnsweredTask.ParentAnswer(task: $0, text: texts[$0] ?? "")
      }
      // What a server would keep: the columns are laid out before the clock starts.
      let view = view(name)
      let start = ContinuousClock.now
      let answers = try predictor.answers(
        task: name, episodes: [episode],
        parentAnswers: [Dictionary(parents.map { ($0.task, $0.text) }, uniquingKeysWith: { $1 })],
        view: view, repliesOnly: true)
      let elapsed = (ContinuousClock.now - start).components
      guard let answer = answers.first, let item = episode.tasks[name] else {
        throw PromptError.missing(task: name, episode: episode.id, what: "task '\(name)'")
      }
      texts[name] = answer.text
      let isRight = episode.isRight(answer, task: name)
      tasks.append(
        AnsweredTask(
          task: name, parents: parents, answer: answer, expected: isRight == nil ? nil : item.answerText,
          isRight: isRight,
          seconds: Double(elapsed.seconds) + Double(elapsed.attoseconds) * 1e-18))
    }
    return WorkflowRun(workflow: workflow.name, episode: episode.id, tasks: tasks)
  }
}
