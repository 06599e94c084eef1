/// What every episode of a workflow must contain and what it may omit.
package struct EpisodeSchema: Sendable, Equatable {
  /// The tasks that every episode must have. Other tasks are allowed; they are checked and kept.
  package var tasks: [String]
  /// The inputs that each task reads; every episode must have them.
  package var inputs: [String: [String]]
  /// The tasks' questions and options in every episode that does not have its own.
  package var questions: [String: Question]
  /// Whether items may have no answer, so that they are only asked.
  package var answersOptional: Bool

  /// A task's question and options in every episode.
  package struct Question: Sendable, Equatable {
    /// The question; `nil` if each episode has its own.
    package var text: String?
    /// The options in display order; `nil` if each episode has its own or none.
    package var options: [String]?

    package init(text: String?, options: [String]?) {
      (self.text, self.options) = (text, options)
    }
  }

  /// Creates a schema. By default, every valid episode conforms to it.
  package init(
    tasks: [String] = [], inputs: [String: [String]] = [:], questions: [String: Question] = [:],
    answersOptional: Bool = false
  ) {
    (self.tasks, self.inputs) = (tasks, inputs)
    (self.questions, self.answersOptional) = (questions, answersOptional)
  }

  /// The same schema for episodes without gold answers.
  package var withoutAnswers: EpisodeSchema {
    var schema = self
    schema.answersOptional = true
    return schema
  }
}
