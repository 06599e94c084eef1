import Datasets
import InputErrors

/// A simulated world that generates episodes for a benchmark. Answers follow from the world, never from the
/// text.
package protocol BenchmarkWorld: Sendable {
  /// The name, as in `contexture data make NAME`.
  var name: String { get }
  /// The tasks with their inputs and parents, in topological order.
  var tasks: [DatasetTask] { get }
  /// For each task with parents, the best possible expected accuracy on clean data when reading all of the task's own
  /// inputs and options, but not its parents' answers, and knowing the rules and the frequencies of the training data.
  /// Where the test data has other frequencies, the higher accuracy of both.
  var accuracyWithoutParents: [String: Double] { get }
  /// Generates episodes and splits them into 80 % train, 10 % valid and 10 % test.
  ///
  /// - Parameters:
  ///   - seed: equal seeds give equal episodes.
  ///   - noise: for a task, the share of training episodes in `0...1` in which its gold answer is replaced by a
  ///     wrong option. The other tasks' answers still follow from the facts.
  /// - Throws: `InputError` if the number of episodes, a task or a share is out of range.
  func splits(episodes: Int, seed: UInt64, noise: [String: Double]) throws -> DatasetSplits
}
