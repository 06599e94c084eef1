import Datasets
import InputErrors
import Workflows

/// One request to a workflow: the inputs, and the questions that differ from the workflow file's.
public struct Episode: Sendable {
  /// Identifies the episode in error messages.
  public var id: String
  /// The input texts, by input name.
  public var inputs: [String: String]
  /// Questions by task name. For other tasks, the workflow file's question is used.
  public var questions: [String: Question]

  /// Creates an episode; without `questions`, every task uses the workflow file's question.
  public init(id: String = "episode", inputs: [String: String], questions: [String: Question] = [:]) {
    (self.id, self.inputs, self.questions) = (id, inputs, questions)
  }
}

/// A question to one task that replaces the workflow file's, in whole or in part.
public struct Question: Sendable, Equatable {
  /// The question; `nil` to use the workflow file's.
  public var text: String?
  /// The options in the order in which they are shown. Empty for a free-text answer; `nil` to use the
  /// workflow file's.
  public var options: [String]?

  /// Creates a question; a part that is `nil` comes from the workflow file.
  public init(_ text: String? = nil, options: [String]? = nil) {
    (self.text, self.options) = (text, options)
  }
}

extension Episode {
  /// The episode with a question for every task.
  ///
  /// - Throws: `RequestError` for a missing input or question, invalid options, or an unknown task.
  func asked(of workflow: Workflows.Workflow) throws(RequestError) -> Datasets.Episode {
    var items: [String: TaskItem] = [:]
    for task in workflow.tasks {
      for input in task.inputs where inputs[input] == nil {
        throw RequestError(episode: id, problem: .missingInput(input, task: task.name))
      }
      let own = questions[task.name]
      guard let text = own?.text ?? task.question else {
        throw RequestError(episode: id, problem: .missingQuestion(task: task.name))
      }
      let options = own?.options ?? task.options ?? []
      guard options.isEmpty || (2...TaskItem.maximumOptions).contains(options.count),
        options.allSatisfy({ !normalizedSpace($0).isEmpty }),
        Set(options.map(normalizedSpace)).count == options.count
      else { throw RequestError(episode: id, problem: .invalidOptions(options, task: task.name)) }
      items[task.name] = TaskItem(question: text, options: options)
    }
    if let unknown = questions.keys.sorted().first(where: { workflow.task($0) == nil }) {
      throw RequestError(
        episode: id, problem: .unknownTask(unknown, known: workflow.tasks.map(\.name)))
    }
    return Datasets.Episode(id: id, inputs: inputs, tasks: items)
  }
}
