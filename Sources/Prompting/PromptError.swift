import Datasets
import InputErrors

/// An episode that cannot be made into a prompt, or a model that cannot be prompted.
package enum PromptError: InputError, Equatable {
  /// Something the workflow names is not there.
  case missing(task: String, episode: String, what: String, at: Episode.Origin? = nil)
  /// More tokens than the model's context.
  case tooLong(task: String, episode: String, length: Int, limit: Int, at: Episode.Origin? = nil)
  /// More options than letters.
  case tooManyOptions(task: String, episode: String, count: Int, at: Episode.Origin? = nil)
  /// The chat template refuses or fails at the conversation.
  case template(task: String, episode: String, reason: String, at: Episode.Origin? = nil)
  /// A text spells a control token, and the chat template changes the text, so that it cannot be kept apart.
  case controlToken(task: String, episode: String, at: Episode.Origin? = nil)
  /// A letter that is not one token.
  case letter(String)
  /// The chat template fails even at a question and an answer.
  case templateFails(reason: String)
  /// The chat template and the tokenizer have no end of turn.
  case noEndOfTurn

  /// One line: which episode and task, what is wrong, what to do.
  package var description: String {
    switch self {
    case .missing(let task, let episode, let what, let origin):
      Self.place(task, episode, origin)
        + "\(what) is missing; add it to the episode or correct the workflow"
    case .tooLong(let task, let episode, let length, let limit, let origin):
      Self.place(task, episode, origin)
        + "\(length) tokens do not fit the context of \(limit); shorten its "
        + "inputs or options, or use a model with a longer context"
    case .tooManyOptions(let task, let episode, let count, let origin):
      Self.place(task, episode, origin)
        + "\(count) options are more than there are letters; give at most \(PromptRenderer.maximumOptions)"
    case .template(let task, let episode, let reason, let origin):
      Self.place(task, episode, origin)
        + "\(reason); if it refuses system messages, leave 'system' out of the workflow"
    case .controlToken(let task, let episode, let origin):
      Self.place(task, episode, origin)
        + "a text contains the spelling of one of the model's control tokens; remove it"
    case .letter(let letter):
      "the tokenizer has no token for the letter \(letter); this model cannot answer by letters"
    case .templateFails(let reason):
      "\(reason); use a model whose template takes a user's and an assistant's message"
    case .noEndOfTurn:
      "the model's chat template ends a turn with no special token and the tokenizer names no end of "
        + "sequence; use an instruction-tuned model"
    }
  }

  /// Where an episode was read, where that is known, the episode and the task.
  private static func place(_ task: String, _ episode: String, _ origin: Episode.Origin?) -> String {
    (origin.map { "\($0): " } ?? "") + "episode '\(episode)', task '\(task)': "
  }
}
