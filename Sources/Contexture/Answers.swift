import Evaluation

/// A workflow's answers to one episode: one per task, parents before children.
public struct Answers: Sendable, Equatable, Codable, RandomAccessCollection {
  private let answers: [Answer]

  init(_ run: WorkflowRun) { answers = run.tasks.map(Answer.init) }

  /// 0.
  public var startIndex: Int { 0 }
  /// The number of tasks.
  public var endIndex: Int { answers.count }
  /// The answer at an index.
  public subscript(position: Int) -> Answer { answers[position] }

  /// The answer to a task by name.
  ///
  /// - Precondition: the workflow has the task. For names from user input, use ``answer(to:)``.
  public subscript(task: String) -> Answer {
    guard let answer = answer(to: task) else {
      preconditionFailure("Answers: the workflow has no task '\(task)'")
    }
    return answer
  }

  /// The answer to a task by name; `nil` if the workflow has no such task.
  public func answer(to task: String) -> Answer? { answers.first { $0.task == task } }

  /// Decodes an array of answers.
  ///
  /// - Throws: `DecodingError`.
  public init(from decoder: any Decoder) throws { answers = try [Answer](from: decoder) }

  /// Encodes the answers as an array.
  ///
  /// - Throws: `EncodingError`.
  public func encode(to encoder: any Encoder) throws { try answers.encode(to: encoder) }
}

/// A model's answer to one task.
public struct Answer: Sendable, Equatable, Codable {
  /// The task's name.
  public let task: String
  /// The text of the chosen option, or the generated text.
  public let text: String
  /// The probability of the answer, 0...1: that of the chosen option among the options or, for free text, the
  /// product over all generated tokens, including the end of the turn.
  public let probability: Double
  /// The probability of each option, in the order of the options, summing to 1; empty for free text.
  public let optionProbabilities: [Double]
  /// Whether free text was cut off at the token limit.
  public let isCut: Bool
  /// Whether the parents' answers that the task read were shortened, because its prompt would not have fitted the
  /// model's context with them.
  public let isPromptCut: Bool

  init(_ answered: AnsweredTask) {
    task = answered.task
    text = answered.answer.text
    probability = answered.answer.probability
    optionProbabilities = answered.answer.choice?.reply.probabilities ?? []
    isCut = answered.answer.isCut
    isPromptCut = answered.answer.isPromptCut
  }
}
