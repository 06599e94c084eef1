import Datasets
import InputErrors

/// Why an episode cannot be rendered as a prompt, or a model cannot be prompted.
package enum PromptError: InputError, Equatable {
  /// The episode lacks something that the workflow requires.
  case missing(task: String, episode: String, what: String, at: Episode.Origin? = nil)
  /// The prompt has more tokens than the model's context.
  case tooLong(task: String, episode: String, length: Int, limit: Int, at: Episode.Origin? = nil)
  /// The chat template renders the prompt without a single token. Without task and episode, it does so for every
  /// message, here and below.
  case empty(task: String?, episode: String?, at: Episode.Origin? = nil)
  /// The user's message is not in the prompt that the chat template renders. `isPartial`: a part of it is.
  case losesUser(isPartial: Bool, task: String?, episode: String?, at: Episode.Origin? = nil)
  /// The system prompt is not in the prompt that the chat template renders.
  case losesSystem(task: String?, episode: String?, at: Episode.Origin? = nil)
  /// The chat template writes something else for an answer than the answer, or something else around it than around
  /// other answers.
  case changesAnswer(answer: String, task: String, episode: String, at: Episode.Origin? = nil)
  /// The chat template leaves answers out, or changes their letters.
  case losesAnswers, changesAnswers
  /// A token of the tokenizer has no embedding; without task and episode, it is one that ends a turn.
  case noEmbedding(
    token: Int32, text: String, rows: Int, task: String?, episode: String?, at: Episode.Origin? = nil)
  /// The item has more options than there are letters.
  case tooManyOptions(task: String, episode: String, count: Int, at: Episode.Origin? = nil)
  /// The chat template refuses the conversation or fails.
  case template(task: String, episode: String, reason: String, at: Episode.Origin? = nil)
  /// The chat template fails or refuses the conversation because of the system prompt.
  case refusesSystem(reason: String)
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
      (task == nil ? "the end of a turn: " : Self.place(task, episode, origin))
        + "the tokenizer has token \(token) \(text.debugDescription), but the model has embeddings for \(rows) tokens only; "
        + "remove the text, or use a tokenizer that fits the model"
    case .tooManyOptions(let task, let episode, let count, let origin):
      Self.place(task, episode, origin)
        + "\(count) options are more than there are letters; give at most \(PromptRenderer.maximumOptions)"
    case .template(let task, let episode, let reason, let origin):
      Self.place(task, episode, origin)
        + "\(reason); if it rejects system messages, leave 'system' out of the workflow"
    case .losesUser(let isPartial, let task, let episode, let origin):
      Self.place(task, episode, origin)
        + (isPartial
          ? "the chat template leaves out or changes a part of the user's message"
          : "the chat template leaves out the user's message")
        + "; use a model whose template writes it whole"
    case .losesSystem(let task, let episode, let origin):
      Self.place(task, episode, origin)
        + "the chat template leaves out the system prompt; remove 'system' from the workflow, or move its text into the "
        + "instructions"
    case .changesAnswer(let answer, let task, let episode, let origin):
      Self.place(task, episode, origin) + Self.change(of: answer)
    case .losesAnswers:
      "the chat template leaves out the assistant's message; use a model whose template writes it"
    case .changesAnswers:
      "the chat template changes the text of the assistant's message; use a model whose template writes it as it is"
    case .refusesSystem(let reason):
      "\(reason); the template cannot render a system prompt: leave 'system' out of the workflow"
    case .letter(let letter):
      "the tokenizer has no token for the letter \(letter); this model cannot answer by letters"
    case .templateFails(let reason):
      "\(reason); use a model whose template accepts a user's and an assistant's message"
    case .noEndOfTurn:
      "the model's chat template ends a turn without a special token, and the tokenizer has no "
        + "end-of-sequence token; use an instruction-tuned model"
    }
  }

  /// The prefix of messages: where the episode was read (if known), the episode and the task, unless there is none.
  private static func place(_ task: String?, _ episode: String?, _ origin: Episode.Origin?) -> String {
    guard let task, let episode else { return "" }
    return (origin.map { "\($0): " } ?? "") + "episode '\(episode)', task '\(task)': "
  }

  private static func change(of answer: String) -> String {
    let start = String(answer.prefix(40))
    let shown = start == answer ? answer.debugDescription : start.debugDescription + " and so on"
    return
      "the chat template does not write the answer \(shown) as it is; change the answer, or use a model whose "
      + "template does"
  }

  /// The error for what a chat template cannot render; without task and episode, for any message.
  static func turns(
    _ failure: ChatTurns.Failure, task: String? = nil, episode: String? = nil,
    at origin: Episode.Origin? = nil
  ) -> PromptError {
    switch failure {
    case .template(let error):
      if let task, let episode {
        .template(task: task, episode: episode, reason: error.description, at: origin)
      } else {
        .templateFails(reason: error.description)
      }
    case .refusesSystem(let error): .refusesSystem(reason: error.description)
    case .losesSystem: .losesSystem(task: task, episode: episode, at: origin)
    case .losesUser(let isPartial): .losesUser(isPartial: isPartial, task: task, episode: episode, at: origin)
    case .empty: .empty(task: task, episode: episode, at: origin)
    case .losesAnswer: .losesAnswers
    case .changesAnswer: .changesAnswers
    }
  }
}
