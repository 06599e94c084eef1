import Datasets
import LanguageModels
import Prompting

/// Multiple-choice questions as scoring requests: the options are continuations of the prompt.
extension PromptRenderer {
  /// Whether the option's letter, rather than its text, decides the answer.
  var decidesByLetter: Bool { workflow.training.answerForm == .letter }

  /// The letters, then the texts, as continuations. With `repliesOnly`, only those that decide the answer.
  package func continuations(_ item: TaskItem, repliesOnly: Bool) throws -> [[Int32]] {
    let options = item.options.indices
    var result: [[Int32]] = []
    if decidesByLetter || !repliesOnly {
      result += try options.map { try letterTokens($0) }
    }
    if !decidesByLetter || !repliesOnly {
      result += options.map { completion(scoredText(item, option: $0)) }
    }
    return result
  }

  /// The scoring request for a task with options, with the replies as continuations.
  ///
  /// - Throws: `PromptError` if it cannot be rendered or exceeds the context.
  package func replyQuestion(
    task: String, episode: Episode, item: TaskItem, parentAnswers: [String: String]
  ) throws -> ScoreRequest {
    let request = ScoreRequest(
      prompt: try prompt(task: task, episode: episode, parentAnswers: parentAnswers),
      continuations: try continuations(item, repliesOnly: true))
    try check(request, task: task, episode: episode)
    return request
  }

  /// The option with the most probable reply.
  ///
  /// - Parameter scores: the result for a `ScoreRequest` from `replyQuestion`.
  package func replyChoice(_ scores: [[Float]]) -> Int {
    OptionScores(scores.map { $0.reduce(0) { $0 + Double($1) } }).best
  }

  package func check(_ request: ScoreRequest, task: String, episode: Episode) throws {
    try check(
      promptCount: request.prompt.count, request.continuations, task: task, episode: episode)
  }

  /// Checks that continuations have embeddings and fit after a prompt of `promptCount` tokens.
  func check(promptCount: Int, _ continuations: [[Int32]], task: String, episode: Episode) throws {
    for tokens in continuations { try check(tokens, task: task, episode: episode) }
    let length = promptCount + (continuations.map(\.count).max() ?? 0)
    guard length <= contextLength else {
      throw PromptError.tooLong(
        task: task, episode: episode.id, length: length, limit: contextLength, at: episode.origin)
    }
  }
}
