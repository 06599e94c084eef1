import Datasets
import LanguageModels
import Prompting

/// How a choice is put to a model whose reply alone counts: the options as continuations of the prompt.
extension PromptRenderer {
  /// Whether an option's letter decides, and not its text.
  var decidesByLetter: Bool { workflow.training.answerForm == .letter }

  /// The letters, where they decide or all ways are wanted, then the texts likewise.
  func continuations(_ item: TaskItem, repliesOnly: Bool) throws -> [[Int32]] {
    let options = item.options.indices
    var result: [[Int32]] = []
    if decidesByLetter || !repliesOnly {
      result += try options.map { [try letterToken($0)] }
    }
    if !decidesByLetter || !repliesOnly {
      result += options.map { completion(scoredText(item, option: $0)) }
    }
    return result
  }

  /// The question of a task with options, its replies as continuations.
  ///
  /// - Throws: `PromptError` where it cannot be rendered or is longer than the context.
  package func replyQuestion(
    task: String, episode: Episode, item: TaskItem, parentAnswers: [String: String]
  ) throws -> ScoreRequest {
    let request = ScoreRequest(
      prompt: try prompt(task: task, episode: episode, parentAnswers: parentAnswers),
      continuations: try continuations(item, repliesOnly: true))
    try check(request, task: task, episode: episode)
    return request
  }

  /// The option whose reply is the most probable.
  ///
  /// - Parameter scores: what a `ScoreRequest` of `replyQuestion` gives.
  package func replyChoice(_ scores: [[Float]]) -> Int {
    OptionScores(scores.map { $0.reduce(0) { $0 + Double($1) } }).best
  }

  func check(_ request: ScoreRequest, task: String, episode: Episode) throws {
    let length = request.prompt.count + (request.continuations.map(\.count).max() ?? 0)
    guard length <= contextLength else {
      throw PromptError.tooLong(
        task: task, episode: episode.id, length: length, limit: contextLength, at: episode.origin)
    }
  }
}
