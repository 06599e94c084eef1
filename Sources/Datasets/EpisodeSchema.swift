/// What every episode of a workflow must hold, and what it may leave out.
package struct EpisodeSchema: Sendable, Equatable {
  /// The tasks that every episode must have. Others may be there too; they are checked and kept.
  package var tasks: [String]
  /// For each task, the inputs it reads, which every episode must have.
  package var inputs: [String: [String]]
  /// Questions and options that tasks have in every episode that does not give its own.
  package var questions: [String: Question]
  /// Whether items may come without an answer, to be asked only.
  package var answersOptional: Bool

  /// What a task asks in every episode.
  package struct Question: Sendable, Equatable {
    /// The question; `nil` if each episode has its own.
    package var text: String?
    /// The options in the order in which they are shown; `nil` if each episode has its own, or none.
    package var options: [String]?

    /// A question, options, or both.
    package init(text: String?, options: [String]?) {
      (self.text, self.options) = (text, options)
    }
  }

  /// A schema; by default anything that is an episode conforms to it.
  package init(
    tasks: [String] = [], inputs: [String: [String]] = [:], questions: [String: Question] = [:],
    answersOptional: Bool = false
  ) {
    (self.tasks, self.inputs) = (tasks, inputs)
    (self.questions, self.answersOptional) = (questions, answersOptional)
  }

  /// The same for episodes that are only asked.
  package var withoutAnswers: EpisodeSchema {
    var schema = self
    schema.answersOptional = true
    return schema
  }
}
