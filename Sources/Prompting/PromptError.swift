import Datasets
import InputErrors

/// Why an episode cannot be rendered as a prompt, or a model cannot be prompted.
package enum PromptError: InputError, Equatable {
  /// The episode lacks something that the workflow requires.
  case missing(task: String, episode: String, what: String, at: Episode.Origin? = nil)
  /// The prompt has more tokens than the model's context.
  case tooLong(task: String, episode: String, length: Int, limit: Int, at: Episode.Origin? = nil)
  /// The chat template renders the prompt without a single token.
  case empty(task: String, episode: String, at: Episode.Origin? = nil)
  /// A token of the tokenizer has no embedding; without task and episode, it is one that ends a turn.
  case noEmbedding(
    token: Int32, text: String, rows: Int, task: String?, episode: String?, at: Episode.Origin? = nil)
  /// The item has more options than there are letters.
  case tooManyOptions(task: String, episode: String, count: Int, at: Episode.Origin? = nil)
  /// The chat template refuses the conversation or fails.
  case template(task: String, episode: String, reason: String, at: Episode.Origin? = nil)
  /// A text contains the spelling of a control token, and the chat template modifies the text, so it cannot
  /// be tokenised separately.
  case controlToken(task: String, episode: String, at: Episode.Origin? = nil)
  /// The letter is not a single token.
  case letter(String)
  /// The chat template cannot even render one user message and one assistant message.
  case templateFails(reason: String)
  /// Neither the chat template nor the tokenizer has an end of turn.
  case noEndOfTurn

  /// One line with the episode, the task, the problem and the fix.
  package var description: String {
    switch self {
    case .missing(let task, let episode, let what, let origin):
      Self.place(task, episode, origin)
        + "\(what) is missing; add it to the episode or correct the workflow"
    case .tooLong(let task, let episode, let length, let limit, let origin):
      Self.place(task, episode, origin)
        + "\(length) tokens exceed the context of \(limit); shorten its "
        + "inputs or options, or use a model with a longer context"
    case .empty(let task, let episode, let origin):
      Self.place(task, episode, origin)
        + "the model's chat template writes nothing for a user's message; use an instruction-tuned model"
    case .noEmbedding(let token, let text, let rows, let task, let episode, let origin):
      (task.flatMap { task in episode.map { Self.place(task, $0, origin) } } ?? "the end of a turn: ")
        + "the tokenizer has token \(token) \(text.debugDescription), but the model has embeddings for \(rows) tokens only; "
        + "remove the text, or use a tokenizer that fits the model"
    case .tooManyOptions(let task, let episode, let count, let origin):
      Self.place(task, episode, origin)
        + "\(count) options are more than there are letters; give at most \(PromptRenderer.maximumOptions)"
    case .template(let task, let episode, let reason, let origin):
      Self.place(task, episode, origin)
        + "\(reason); if it rejects system messages, leave 'system' out of the workflow"
    case .controlToken(let task, let episode, let origin):
      Self.place(task, episode, origin)
        + "a text contains one of the model's control tokens; remove it"
    case .letter(let letter):
      "the tokenizer has no token for the letter \(letter); this model cannot answer by letters"
    case .templateFails(let reason):
      "\(reason); use a model whose template accepts a user's and an assistant's message"
    case .noEndOfTurn:
      "the model's chat template ends a turn without a special token, and the tokenizer has no "
        + "end-of-sequence token; use an instruction-tuned model"
    }
  }

  /// The prefix of messages: where the episode was read (if known), the episode and the task.
  private static func place(_ task: String, _ episode: String, _ origin: Episode.Origin?) -> String {
    (origin.map { "\($0): " } ?? "") + "episode '\(episode)', task '\(task)': "
  }
}
