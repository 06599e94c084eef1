import Evaluation

/// The accuracy of a workflow on a set of episodes.
public struct Evaluation: Sendable, Equatable, Codable {
  /// One task's accuracies, 0...1.
  public struct TaskScore: Sendable, Equatable, Codable {
    /// The task's name.
    public let name: String
    /// The accuracy with the parents' gold answers.
    public let goldAccuracy: Double
    /// The accuracy with the parents' predicted answers.
    public let chainedAccuracy: Double
    /// The 95 % confidence interval of the chained accuracy.
    public let chainedInterval: ClosedRange<Double>
    /// The accuracy of always giving the most frequent training answer; `nil` without training data.
    public let majorityAccuracy: Double?
    /// Whether `goldAccuracy` is significantly above `majorityAccuracy`; `nil` without training data.
    public let isLearnt: Bool?
  }

  /// The number of episodes.
  public let episodes: Int
  /// The tasks' scores, in the order of the workflow file.
  public let tasks: [TaskScore]
  /// The share of episodes in which every task was answered correctly, given the parents' predicted answers,
  /// 0...1.
  public let allRight: Double
  /// A table to print.
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
