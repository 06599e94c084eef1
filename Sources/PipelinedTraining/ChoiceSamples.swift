import ContextLoRA
import LanguageModels

/// Samples whose predicted answers are options, so that messages between ranks carry only an option's index.
package protocol ChoiceSamples: WorkflowSamples {
  /// The question of a task, with its options as continuations.
  ///
  /// - Parameter parentAnswers: by parent.
  /// - Throws: an error if the question cannot be rendered.
  func question(_ task: String, sample: Int, parentAnswers: [String: String]) throws -> ScoreRequest

  /// The option chosen by a question's scores: log-probabilities by continuation and token.
  func choice(_ task: String, sample: Int, scores: [[Float]]) -> Int

  /// The number of options of a task's question.
  func optionCount(_ task: String, sample: Int) -> Int

  /// The text of an option as an input of child tasks.
  func text(_ task: String, sample: Int, option: Int) -> String

  /// An upper bound on the rows of a task's questions, whatever its parents answer.
  ///
  /// - Throws: an error if a question cannot be rendered.
  func longestQuestion(_ task: String) throws -> Int
}
