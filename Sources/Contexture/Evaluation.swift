import Evaluation

/// How often a workflow is right.
public struct Evaluation: Sendable, Equatable, Codable {
  /// One task's accuracies, 0...1.
  public struct TaskScore: Sendable, Equatable, Codable {
    /// The task.
    public let name: String
    /// With the recorded answers of its parents.
    public let goldAccuracy: Double
    /// With the model's own answers of its parents.
    public let chainedAccuracy: Double
    /// The 95 % confidence interval of the chained accuracy.
    public let chainedInterval: ClosedRange<Double>
    /// The accuracy of always giving the answer that is most frequent in training; `nil` without training data.
    public let majorityAccuracy: Double?
    /// Whether the accuracy with recorded answers is significantly above that; `nil` without training data.
    public let isLearnt: Bool?
  }

  /// The episodes.
  public let episodes: Int
  /// In the order of the workflow file.
  public let tasks: [TaskScore]
  /// The share of episodes of which every task was answered right, each reading the model's own answers of its parents.
  public let allRight: Double
  /// A table for people.
  public let text: String

  init(_ report: EvaluationReport) {
    episodes = report.episodes
    tasks = report.tasks.map {
      TaskScore(
        name: $0.task, goldAccuracy: $0.gold.accuracy, chainedAccuracy: $0.chained.accuracy,
        chainedInterval: $0.chained.interval, majorityAccuracy: $0.majority, isLearnt: $0.isLearnt)
    }
    allRight = report.episodes == 0 ? 0 : Double(report.allRight) / Double(report.episodes)
    text = report.text
  }
}
