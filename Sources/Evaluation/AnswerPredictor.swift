import Datasets
import Foundation
import LanguageModels
import Prompting
import Workflows

/// Predicts tasks' answers with the columns with which each task was trained. May be used by several threads
/// at once.
package struct AnswerPredictor: Sendable {
  private let model: LlamaModel
  private let prompts: PromptRenderer
  private let scorer: Scorer
  /// The limit on the tokens of a prompt, beside that of the context.
  private let maximumPromptTokens: Int
  /// The limit on the tokens of a free-text answer.
  package let maximumAnswerTokens: Int
  /// The default of ``maximumAnswerTokens``.
  package static let defaultAnswerTokens = 64

  /// - Precondition: the context of the model is at least as long as that of `prompts`.
  package init(
    _ model: LlamaModel, prompts: PromptRenderer, maximumPromptTokens: Int = .max,
    maximumAnswerTokens: Int = AnswerPredictor.defaultAnswerTokens
  ) {
    precondition(prompts.contextLength <= model.contextLength, "AnswerPredictor: prompts beyond the context")
    precondition(maximumAnswerTokens > 0, "AnswerPredictor: no room for an answer")
    self.model = model
    self.prompts = prompts
    (self.maximumPromptTokens, self.maximumAnswerTokens) = (maximumPromptTokens, maximumAnswerTokens)
    scorer = Scorer(model)
  }

  /// Predicts the answers to one task for some episodes, in their order.
  ///
  /// - Parameters:
  ///   - parentAnswers: for each episode, the text of each parent's answer, by the parent's name.
  ///   - view: the adapter's active columns; `nil` for the base model.
  ///   - repliesOnly: skips the ways of scoring options that do not decide the answer, which saves time.
  ///   - check: called after every few episodes. An error that it throws ends the work.
  /// - Throws: `PromptError` if an episode cannot be rendered; any error of reading the model's file.
  package func answers(
    task: String, episodes: [Episode], parentAnswers: [[String: String]], view: DeviceAdapter?,
    repliesOnly: Bool = false, check: () throws -> Void = {}
  ) throws -> [TaskAnswer] {
    precondition(episodes.count == parentAnswers.count, "one dictionary of parents' answers an episode")
    var answers: [Int: TaskAnswer] = [:]
    var requests: [ScoreRequest] = []
    var asked: [(place: Int, item: TaskItem)] = []
    var open: [(place: Int, prompt: [Int32])] = []
    for (index, episode) in episodes.enumerated() {
      let prompt = try prompts.prompt(task: task, episode: episode, parentAnswers: parentAnswers[index])
      guard prompt.count <= maximumPromptTokens else {
        throw PromptError.tooLong(
          task: task, episode: episode.id, length: prompt.count, limit: maximumPromptTokens,
          at: episode.origin)
      }
      guard let item = episode.tasks[task] else {
        throw PromptError.missing(task: task, episode: episode.id, what: "task '\(task)'")
      }
      if item.options.isEmpty {
        open.append((index, prompt))
      } else {
        let request = ScoreRequest(
          prompt: prompt, continuations: try prompts.continuations(item, repliesOnly: repliesOnly))
        try prompts.check(request, task: task, episode: episode)
        requests.append(request)
        asked.append((index, item))
      }
    }
    for (question, score) in zip(asked, try scores(requests, view, check)) {
      let sums = score.map { $0.reduce(0) { $0 + Double($1) } }
      answers[question.place] = answer(question.item, sums, repliesOnly)
    }
    for (question, answer) in zip(open, try generate(open.map(\.prompt), view, check)) {
      answers[question.place] = answer
    }
    return episodes.indices.compactMap { answers[$0] }
  }

  /// The number of requests, or more, between two checks; enough that few workers wait for the last one.
  private var checkedRequests: Int { max(64, 16 * model.device.workerCount) }

  /// The scores of all requests. They are cut only between two passes, so that each request shares its pass with the same
  /// others as without cuts.
  private func scores(
    _ requests: [ScoreRequest], _ view: DeviceAdapter?, _ check: () throws -> Void
  ) throws -> [[[Float]]] {
    var result: [[[Float]]] = []
    for end in ScoreRequest.passes(requests).compactMap(\.last).map({ $0 + 1 })
    where end - result.count >= checkedRequests || end == requests.count {
      result += try scorer.score(Array(requests[result.count..<end]), adapter: view)
      try check()
    }
    return result
  }

  /// Builds an answer from log-probability sums in the order of `continuations`.
  private func answer(_ item: TaskItem, _ sums: [Double], _ repliesOnly: Bool) -> TaskAnswer {
    let count = item.options.count
    let choice: TaskAnswer.Choice
    if repliesOnly {
      choice = TaskAnswer.Choice(reply: OptionScores(sums))
    } else {
      let letter = OptionScores(Array(sums[..<count]))
      let text = OptionScores(Array(sums[count...]))
      let perCharacter = item.options.indices.map { option in
        text.logProbabilities[option]
          / Double(max(prompts.scoredText(item, option: option).unicodeScalars.count, 1))
      }
      choice = TaskAnswer.Choice(
        reply: prompts.decidesByLetter ? letter : text, letter: letter, text: text,
        textPerCharacter: OptionScores(perCharacter))
    }
    let best = choice.reply.best
    return TaskAnswer(
      text: item.options[best], probability: choice.reply.probabilities[best], choice: choice)
  }

  /// Generates greedily after each prompt, until the turn or the text ends.
  private func generate(
    _ prompts: [[Int32]], _ view: DeviceAdapter?, _ check: () throws -> Void
  ) throws -> [TaskAnswer] {
    let stops = Set([self.prompts.stopToken, self.prompts.tokenizer.endOfSequence].compactMap { $0 })
    var generated: [[Int32]] = []
    while generated.count < prompts.count {
      // Few enough to be checked often, enough to keep every worker busy.
      let next = prompts[generated.count...].prefix(4 * model.device.workerCount)
      generated += try tokens(after: Array(next), stops, view)
      try check()
    }
    // If the answer is not cut off, its probability includes the stop token: the more probable one, if there
    // are two.
    let requests = zip(prompts, generated).map { prompt, tokens in
      ScoreRequest(
        prompt: prompt,
        continuations: tokens.count == room(after: prompt) ? [tokens] : stops.sorted().map { tokens + [$0] })
    }
    return zip(requests, zip(generated, try scores(requests, view, check))).map {
      request, generated in
      let (tokens, scores) = generated
      let sums = scores.map { $0.reduce(0) { $0 + Double($1) } }
      let text = self.prompts.tokenizer.decode(tokens, skipSpecial: true)
      return TaskAnswer(
        text: String(text.trimmingWhitespace), probability: exp(sums.max() ?? 0), choice: nil,
        isCut: tokens.count == room(after: request.prompt))
    }
  }

  private func room(after prompt: [Int32]) -> Int {
    min(maximumAnswerTokens, prompts.contextLength - prompt.count)
  }

  /// Each worker of the device continues a different prompt.
  private func tokens(
    after prompts: [[Int32]], _ stops: Set<Int32>, _ view: DeviceAdapter?
  ) throws -> [[Int32]] {
    try model.device.mapItems(prompts.count) { index, _ in
      let (prompt, room) = (prompts[index], room(after: prompts[index]))
      return try TextGenerator(model, adapter: view, capacity: prompt.count + room)
        .greedy(prompt, maximumTokens: room, stops: stops)
    }
  }
}

extension String {
  /// The text without leading and trailing white space.
  var trimmingWhitespace: Substring {
    guard let first = firstIndex(where: { !$0.isWhitespace }),
      let last = lastIndex(where: { !$0.isWhitespace })
    else { return "" }
    return self[first...last]
  }
}
