import Datasets
import Prompting

/// A prompt in which answers of parents may have been shortened.
package struct FittedPrompt: Sendable, Equatable {
  package var tokens: [Int32]
  /// Whether the parents' answers were shortened, because the prompt would have been too long with them.
  package var isCut: Bool
}

extension PromptRenderer {
  /// A task's prompt with its parents' predicted answers. A generated answer may be as long as its limit permits,
  /// whatever there is room for: if the prompt is too long, the longest of the answers is shortened at its end, and
  /// then the next one.
  ///
  /// What follows the prompt gets the room that it wants, but not more than half of what the prompt leaves without any
  /// parents' answers: otherwise all of them would be removed from a prompt that is nearly as long as the context.
  ///
  /// - Parameters:
  ///   - needed: the tokens that the context must have room for after the prompt.
  ///   - wanted: the same for a prompt that must be shortened, if there is twice as much room without parents' answers.
  ///   - maximumPromptTokens: a limit on the tokens of the prompt, beside that of the context.
  /// - Throws: `PromptError` if the episode cannot be rendered, even without any of its parents' answers.
  package func fittedPrompt(
    task: String, episode: Episode, parentAnswers: [String: String], needed: Int, wanted: Int,
    maximumPromptTokens: Int = .max
  ) throws -> FittedPrompt {
    let most = min(maximumPromptTokens, contextLength - needed)
    var (tokens, length) = try attempt(task, episode, parentAnswers)
    if let tokens, length <= most { return FittedPrompt(tokens: tokens, isCut: false) }
    let isOverLimit = length > maximumPromptTokens && maximumPromptTokens < contextLength
    let refused = PromptError.tooLong(
      task: task, episode: episode.id,
      length: isOverLimit || length >= contextLength ? length : length + needed,
      limit: isOverLimit ? maximumPromptTokens : contextLength, at: episode.origin)
    var answers = parentAnswers
    let parents = workflow.graph.parents(of: task)
    let least = try attempt(task, episode, parentAnswers.mapValues { _ in "" }).length
    guard least <= most else { throw refused }
    let target = min(most, max(contextLength - wanted, (least + contextLength) / 2))
    while length > target {
      let encoded = parents.map { tokenizer.encode(answers[$0] ?? "", parseSpecial: false) }
      guard let longest = parents.indices.max(by: { encoded[$0].count < encoded[$1].count }),
        let text = answers[parents[longest]], !text.isEmpty
      else { break }
      let kept = encoded[longest].dropLast(max(1, length - target))
      // The last token may end within a letter.
      var shorter = tokenizer.decode(kept, skipSpecial: false)
      while shorter.unicodeScalars.last == "\u{FFFD}" { shorter.unicodeScalars.removeLast() }
      answers[parents[longest]] =
        shorter.utf8.count < text.utf8.count ? String(shorter.trimmingWhitespace) : ""
      (tokens, length) = try attempt(task, episode, answers)
    }
    guard let tokens, length <= most else { throw refused }
    return FittedPrompt(tokens: tokens, isCut: true)
  }

  /// The tokens of a prompt, `nil` if they exceed the context, and their number.
  private func attempt(
    _ task: String, _ episode: Episode, _ answers: [String: String]
  ) throws -> (tokens: [Int32]?, length: Int) {
    do {
      let tokens = try prompt(task: task, episode: episode, parentAnswers: answers)
      return (tokens, tokens.count)
    } catch PromptError.tooLong(_, _, let length, _, _) {
      return (nil, length)
    }
  }
}
