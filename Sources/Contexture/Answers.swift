import Evaluation

/// The answers of a workflow to one episode.
public struct Answers: Sendable, Equatable {
  /// The tasks, parents before children.
  public let tasks: [String]
  private let byTask: [String: Answer]

  init(_ run: WorkflowRun) {
    tasks = run.tasks.map(\.task)
    byTask = Dictionary(uniqueKeysWithValues: run.tasks.map { ($0.task, Answer($0.answer)) })
  }

  /// A task's answer.
  ///
  /// - Precondition: the workflow has the task.
  public subscript(task: String) -> Answer {
    guard let answer = byTask[task] else {
      preconditionFailure("Answers: the workflow has no task '\(task)'")
    }
    return answer
  }
}

/// A model's answer to one task.
public struct Answer: Sendable, Equatable {
  /// The text of the chosen option, or the generated text.
  public let text: String
  /// The probability of the answer: among the options, or of the generated tokens. 0...1.
  public let probability: Double
  /// The probability of each option in their order, summing to 1; empty for free text.
  public let optionProbabilities: [Double]
  /// Whether free text was cut off at the limit of tokens.
  public let isCut: Bool

  init(_ answer: TaskAnswer) {
    text = answer.text
    probability = answer.probability
    optionProbabilities = answer.choice?.reply.probabilities ?? []
    isCut = answer.isCut
  }
}
