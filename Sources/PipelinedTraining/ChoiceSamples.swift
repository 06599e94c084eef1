import ContextLoRA
import LanguageModels

/// Samples whose predicted answers are options, so that messages between ranks carry an option's index.
package protocol ChoiceSamples: WorkflowSamples {
  /// The question of a task with its options as continuations.
  ///
  /// - Parameter parentAnswers: by parent.
  /// - Throws: what cannot be rendered.
  func question(_ task: String, sample: Int, parentAnswers: [String: String]) throws -> ScoreRequest

  /// The option that a question's scores choose: log-probabilities by continuation and token.
  func choice(_ task: String, sample: Int, scores: [[Float]]) -> Int

  /// The text of an option, as children read it.
  func text(_ task: String, sample: Int, option: Int) -> String

  /// No question of a task takes more rows, whatever its parents answer.
  ///
  /// - Throws: what cannot be rendered.
  func longestQuestion(_ task: String) throws -> Int
}
