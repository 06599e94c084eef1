import LanguageModels

/// A workflow's training samples as token sequences. It only renders; the parents' predicted answers are
/// passed in.
///
/// Every rank of a job has the same samples and renders them to the same tokens.
package protocol WorkflowSamples: AnyObject {
  /// The number of samples of each task.
  var sampleCount: Int { get }
  /// Whether parents' answers are ever predicted.
  var usesPredictions: Bool { get }
  /// The tasks that must answer, parents before children, before `task` can use predicted answers; empty if
  /// it never does.
  func passes(of task: String) -> [String]
  /// Whether a sample uses predicted answers.
  func predicts(_ sample: Int, phase: Int, epoch: Int) -> Bool
  /// The prompt with its parents' answers and the gold reply. If `parentAnswers` is `nil`, the parents' gold
  /// answers are used.
  ///
  /// - Throws: an error if the sample cannot be rendered.
  func sequence(_ task: String, sample: Int, parentAnswers: [String: String]?) throws -> TokenSequence
  /// An upper bound on the rows of a task's training sequences, whatever its parents answer.
  ///
  /// - Throws: an error if a sample cannot be rendered.
  func longestSequence(_ task: String) throws -> Int
  /// Validation samples of a task, for adaptive freezing.
  ///
  /// - Throws: an error if a sample cannot be rendered.
  func validationSequences(_ task: String) throws -> [TokenSequence]
  /// The validation episodes; `nil` if the options ask for none.
  var validation: (any ValidationEpisodes)? { get }
}

extension WorkflowSamples {
  /// No validation.
  package var validation: (any ValidationEpisodes)? { nil }
}

/// Answers tasks with the model in training, in this process.
package protocol TaskAnswerer: AnyObject {
  /// The answers of `task` to some samples, in their order.
  ///
  /// - Parameters:
  ///   - parentAnswers: by parent, for each sample.
  ///   - columns: the columns of `adapter` that the task sees.
  /// - Throws: an error if a sample cannot be rendered, and the errors of the model's file.
  func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String]
}
