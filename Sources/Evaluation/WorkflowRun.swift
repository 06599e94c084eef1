import Datasets
import Foundation
import LanguageModels
import Prompting
import Workflows

/// One task of an answered episode.
package struct AnsweredTask: Sendable, Equatable, Codable {
  package var task: String
  /// The parents' answers that the task read, in the order in which it lists them.
  package var parents: [ParentAnswer]
  /// The task's answer.
  package var answer: TaskAnswer
  /// The gold answer's text; `nil` if there is none.
  package var expected: String?
  /// Whether the answer is right; for free text, whether it matches exactly after normalisation. `nil` if
  /// there is no gold answer.
  package var isRight: Bool?
  /// Wall time in seconds, including rendering and tokenisation.
  package var seconds: Double

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

  /// A parent's answer as a child task reads it.
  package struct ParentAnswer: Sendable, Equatable, Codable {
    /// The parent.
    package var task: String
    /// The parent's answer.
    package var text: String

    package init(task: String, text: String) {
      self.task = task
      self.text = text
    }
  }
}

/// An episode answered by a workflow, with each task reading its parents' predicted answers.
package struct WorkflowRun: Sendable, Equatable, Codable {
  /// The workflow's name.
  package var workflow: String
  /// The episode's identifier.
  package var episode: String
  /// The tasks in the order in which they were answered: parents before children.
  package var tasks: [AnsweredTask]

  package init(workflow: String, episode: String, tasks: [AnsweredTask]) {
    self.workflow = workflow
    self.episode = episode
    self.tasks = tasks
  }

  /// A readable report of the run.
  package var text: String {
    var lines = ["\(workflow), episode \(episode)"]
    for task in tasks {
      lines.append("")
      lines.append("\(task.task): \(task.answer.text)")
      for parent in task.parents { lines.append("  read \(parent.task): \(parent.text)") }
      if let expected = task.expected {
        lines.append("  gold: " + (task.isRight == true ? "the same" : expected))
      }
      if task.answer.isCut {
        lines.append("  cut: stopped at the token limit of an answer")
      }
      if task.answer.isPromptCut {
        lines.append("  prompt cut: the parents' answers were shortened to fit the model's context")
      }
      lines.append(
        String(format: "  probability %.3f, %.1f ms", task.answer.probability, 1000 * task.seconds))
    }
    return lines.joined(separator: "\n") + "\n"
  }
}

extension Episode {
  /// Whether an answer to `task` is right; for free text, whether it matches exactly after normalisation.
  /// `nil` if there is no gold answer.
  package func isRight(_ answer: TaskAnswer, task: String) -> Bool? {
    switch tasks[task]?.answer {
    case .unknown, nil: nil
    case .option(let index): answer.choice?.reply.best == index
    case .text(let expected): AnswerMatching.matches(answer.text, expected)
    }
  }
}

extension WorkflowEvaluator {
  /// Answers one episode task by task, with each task reading its parents' predicted answers.
  ///
  /// - Parameter beforeTask: called before each task. An error that it throws ends the run.
  /// - Throws: `PromptError` if the episode cannot be rendered; any error of reading the model's file.
  package func run(_ episode: Episode, beforeTask: () throws -> Void = {}) throws -> WorkflowRun {
    var texts: [String: String] = [:]
    var tasks: [AnsweredTask] = []
    for name in workflow.graph.topologicalOrder {
      try beforeTask()
      let parents = workflow.graph.parents(of: name).map {
        AnsweredTask.ParentAnswer(task: $0, text: texts[$0] ?? "")
      }
      // The clock starts after the columns are prepared, because a server would keep them in memory.
      let view = view(name)
      let start = ContinuousClock.now
      let answers = try predictor.answers(
        task: name, episodes: [episode],
        parentAnswers: [Dictionary(parents.map { ($0.task, $0.text) }, uniquingKeysWith: { $1 })],
        view: view, repliesOnly: true)
      let elapsed = ContinuousClock.now - start
      guard let answer = answers.first, let item = episode.tasks[name] else {
        throw PromptError.missing(task: name, episode: episode.id, what: "task '\(name)'")
      }
      texts[name] = answer.text
      let isRight = episode.isRight(answer, task: name)
      tasks.append(
        AnsweredTask(
          task: name, parents: parents, answer: answer, expected: isRight == nil ? nil : item.answerText,
          isRight: isRight, seconds: elapsed / .seconds(1)))
    }
    return WorkflowRun(workflow: workflow.name, episode: episode.id, tasks: tasks)
  }
}
