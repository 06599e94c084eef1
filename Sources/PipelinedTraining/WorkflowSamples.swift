import ContextLoRA
import LanguageModels

/// Where the ranks get a workflow's samples from. Every rank has the same data and makes the same token rows
/// of it, so that messages carry numbers alone.
package protocol WorkflowSamples: AnyObject {
  /// The samples of each task.
  var sampleCount: Int { get }
  /// Whether parents' answers are ever the model's own.
  var usesPredictions: Bool { get }

  /// The tasks that must answer, parents before children, before `task` can be asked with the model's own
  /// answers; empty where it never is.
  func passes(of task: String) -> [String]

  /// Whether a sample reads the model's own answers.
  func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool

  /// The question of a task with its options as continuations; `answers` holds the option that each task
  /// before it chose.
  ///
  /// - Throws: what cannot be rendered.
  func question(_ task: String, sample: Int, answers: [String: Int]) throws -> ScoreRequest

  /// The option that a question's scores choose: log-probabilities by continuation and token.
  func choice(_ task: String, sample: Int, scores: [[Float]]) -> Int

  /// What is trained: the prompt with its parents' answers, the recorded ones where `answers` is `nil`, and
  /// the recorded reply. The reply does not depend on the answers.
  ///
  /// - Throws: what cannot be rendered.
  func sequence(_ task: String, sample: Int, answers: [String: Int]?) throws -> TokenSequence

  /// What phases are validated on; asked for only where the options say that they are.
  var validation: (any ValidationEpisodes)? { get }

  /// No question of a task takes more rows, whatever its parents answer.
  ///
  /// - Throws: what cannot be rendered.
  func longestQuestion(_ task: String) throws -> Int

  /// No training sequence of a task takes more rows, whatever its parents answer.
  ///
  /// - Throws: what cannot be rendered.
  func longestSequence(_ task: String) throws -> Int
}

extension WorkflowSamples {
  /// Nothing is validated.
  package var validation: (any ValidationEpisodes)? { nil }
}
