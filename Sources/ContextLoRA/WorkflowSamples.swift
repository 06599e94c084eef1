import LanguageModels

/// A workflow's training samples as token sequences. It only renders: predicted answers of the parents are given to it.
///
/// Every rank of a job has the same samples and makes the same token rows of them.
package protocol WorkflowSamples: AnyObject {
  /// The samples of each task.
  var sampleCount: Int { get }
  /// Whether parents' answers are ever predicted.
  var usesPredictions: Bool { get }
  /// The tasks that must answer, parents before children, before `task` can read predicted answers; empty if it never
  /// does.
  func passes(of task: String) -> [String]
  /// Whether a sample reads predicted answers.
  func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool
  /// The prompt with its parents' answers, the gold ones if `parentAnswers` is `nil`, and the gold reply.
  ///
  /// - Throws: what cannot be rendered.
  func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) throws -> TokenSequence
  /// No training sequence of a task takes more rows, whatever its parents answer.
  ///
  /// - Throws: what cannot be rendered.
  func longestSequence(_ task: String) throws -> Int
  /// Validation samples of a task, for adaptive freezing.
  ///
  /// - Throws: what cannot be rendered.
  func validationSequences(_ task: String) throws -> [TokenSequence]
  /// What phases are validated on, if the options say that they are.
  var validation: (any ValidationEpisodes)? { get }
}

extension WorkflowSamples {
  /// Nothing is validated.
  package var validation: (any ValidationEpisodes)? { nil }
}

/// Answers tasks with the model in training, in this process.
package protocol TaskAnswerer: AnyObject {
  /// The answers of `task` to some samples, in their order.
  ///
  /// - Parameters:
  ///   - parentAnswers: by parent, for each sample.
  ///   - columns: the columns of `adapter` that the task sees.
  /// - Throws: what cannot be rendered, and what the model's file throws.
  func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String]
}
