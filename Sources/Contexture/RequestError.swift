import Datasets
import Prompting

/// An invalid request: an episode that cannot be answered.
///
/// The client can correct it, so a server should respond with status 400. Any other error of
/// ``TrainedWorkflow`` concerns the model's files, or is a bug.
public struct RequestError: InputError, Equatable {
  /// The kinds of problem.
  public enum Problem: Sendable, Equatable {
    /// The episode lacks an input that the task reads.
    case missingInput(String, task: String)
    /// Neither the episode nor the workflow file has a question for the task.
    case missingQuestion(task: String)
    /// The options are neither empty (free text) nor 2 to 26 different texts.
    case invalidOptions([String], task: String)
    /// A question is for a task that the workflow does not have.
    case unknownTask(String, known: [String])
    /// The task's prompt with its options has more tokens than `limit`: the limit given to
    /// ``TrainedWorkflow``, or the model's context.
    case promptTooLong(task: String, tokens: Int, limit: Int)
    /// The model's chat template leaves out or changes a part of the task's texts.
    case lostText(task: String)
  }

  /// The episode's `id`.
  public let episode: String
  /// The problem with it.
  public let problem: Problem

  init(episode: String, problem: Problem) { (self.episode, self.problem) = (episode, problem) }

  /// `nil` if the error is not the episode's fault.
  init?(_ error: PromptError) {
    switch error {
    case .tooLong(let task, let episode, let length, let limit, _):
      self.init(episode: episode, problem: .promptTooLong(task: task, tokens: length, limit: limit))
    case .losesUser(_, let task?, let episode?, _):
      self.init(episode: episode, problem: .lostText(task: task))
    default: return nil
    }
  }

  /// One line: the episode, the problem and the fix.
  public var description: String {
    let (what, remedy) =
      switch problem {
      case .missingInput(let input, let task):
        ("lacks the input '\(input)' that the task '\(task)' reads", "add it")
      case .missingQuestion(let task):
        (
          "has no question for the task '\(task)'",
          "give a question, or set tasks.\(task).question in the workflow file and train again"
        )
      case .invalidOptions(let options, let task):
        (
          "has \(options.count) options for the task '\(task)', or an empty one, or two that look the same",
          "give 2 to \(TaskItem.maximumOptions) different ones, or none for free text"
        )
      case .unknownTask(let task, let known):
        (
          "has a question for '\(task)', which is not a task", "name one of: \(known.joined(separator: ", "))"
        )
      case .promptTooLong(let task, let tokens, let limit):
        ("needs \(tokens) tokens for the task '\(task)', above the limit of \(limit)", "shorten its texts")
      case .lostText(let task):
        (
          "has a text for the task '\(task)' that the model's chat template leaves out or changes",
          "change the text, or use a model whose template writes it whole"
        )
      }
    return "episode '\(episode)': \(what); \(remedy)"
  }
}
