import Evaluation

/// The answers of a workflow to one episode: a collection with one for each task, parents before children.
public struct Answers: Sendable, Equatable, Codable, RandomAccessCollection {
  private let answers: [Answer]

  init(_ run: WorkflowRun) { answers = run.tasks.map(Answer.init) }

  /// 0.
  public var startIndex: Int { 0 }
  /// The number of tasks.
  public var endIndex: Int { answers.count }
  /// The answer to the task at a position.
  public subscript(position: Int) -> Answer { answers[position] }

  /// The answer to a task whose name is written in the program.
  ///
  /// - Precondition: the workflow has the task. For a name that comes from outside, use ``answer(to:)``.
  public subscript(task: String) -> Answer {
    guard let answer = answer(to: task) else {
      preconditionFailure("Answers: the workflow has no task '\(task)'")
    }
    return answer
  }

  /// The answer to a task; `nil` if the workflow has no such task.
  public func answer(to task: String) -> Answer? { answers.first { $0.task == task } }

  /// Decodes a list of answers.
  public init(from decoder: any Decoder) throws { answers = try [Answer](from: decoder) }

  /// Encodes a list of answers.
  public func encode(to encoder: any Encoder) throws { try answers.encode(to: encoder) }
}

/// A model's answer to one task.
public struct Answer: Sendable, Equatable, Codable {
  /// The task.
  public let task: String
  /// The text of the chosen option, or the generated text.
  public let text: String
  /// The probability of the answer: among the options, or of the generated tokens. 0...1.
  public let probability: Double
  /// The probability of each option in their order, summing to 1; empty for free text.
  public let optionProbabilities: [Double]
  /// Whether free text was cut off at the limit of tokens.
  public let isCut: Bool

  init(_ answered: AnsweredTask) {
    task = answered.task
    text = answered.answer.text
    probability = answered.answer.probability
    optionProbabilities = answered.answer.choice?.reply.probabilities ?? []
    isCut = answered.answer.isCut
  }
}
