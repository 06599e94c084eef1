import LanguageModels

/// Where the trainer gets the sequences of a task from.
package protocol TrainingData: AnyObject {
  /// The samples of each task.
  var sampleCount: Int { get }
  /// The longest sequence expected of a task, in tokens.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func longestSequence(task: String) throws -> Int
  /// The sequences of some samples. `adapter` makes the parameters that parents' answers are predicted with;
  /// `parentsChange` says whether they differ from batch to batch of the phase.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func sequences(
    task: String, samples: [Int], phase: Int, epoch: Int, parentsChange: Bool, adapter: () -> LoRAAdapter
  ) throws -> [TokenSequence]
  /// Whether `sequences` ever asks for the adapter.
  var usesPredictions: Bool { get }
  /// Samples of a task that no phase trains on, for adaptive freezing.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func heldBack(task: String) throws -> [TokenSequence]
  /// What phases are validated on; asked for only where the options say that they are.
  var validation: (any ValidationEpisodes)? { get }
}

extension TrainingData {
  /// Nothing is validated.
  package var validation: (any ValidationEpisodes)? { nil }
}
