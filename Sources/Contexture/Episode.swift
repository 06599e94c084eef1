import Datasets
import Workflows

/// What one pass through a workflow is about: the inputs, and the questions that the workflow file leaves open.
public struct Episode: Sendable {
  /// A name for messages.
  public var id: String
  /// The inputs by name, such as `scene`.
  public var inputs: [String: String]
  /// The questions of single tasks, by task. A task without one is asked what the workflow file says.
  public var questions: [String: Question]

  /// An episode of inputs, asked what the workflow file says.
  public init(id: String = "episode", inputs: [String: String], questions: [String: Question] = [:]) {
    (self.id, self.inputs, self.questions) = (id, inputs, questions)
  }
}

/// What a task is asked, where that differs from the workflow file.
public struct Question: Sendable, Equatable {
  /// The question; `nil` for the workflow file's.
  public var text: String?
  /// The options in the order in which they are shown; empty for an answer in free text, `nil` for the workflow file's.
  public var options: [String]?

  /// A question; what is `nil` is as in the workflow file.
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
        Set(options).count == options.count
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
