import Datasets

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

/// What a task is asked.
public struct Question: Sendable, Equatable {
  /// The question.
  public var text: String
  /// The options in the order in which they are shown; empty for an answer in free text.
  public var options: [String]

  /// A question; without options it is answered in free text.
  public init(_ text: String, options: [String] = []) {
    (self.text, self.options) = (text, options)
  }
}
