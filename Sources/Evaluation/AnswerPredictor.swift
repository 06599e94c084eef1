import Datasets
import Foundation
import InputErrors
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
  /// The limit on the tokens of free-text answers; `nil` for each task's own.
  private let maximumAnswerTokens: Int?

  /// - Precondition: the context of the model is at least as long as that of `prompts`.
  package init(
    _ model: LlamaModel, prompts: PromptRenderer, maximumPromptTokens: Int = .max,
    maximumAnswerTokens: Int? = nil
  ) {
    precondition(prompts.contextLength <= model.contextLength, "AnswerPredictor: prompts beyond the context")
    precondition(maximumAnswerTokens ?? 1 > 0, "AnswerPredictor: no room for an answer")
    self.model = model
    self.prompts = prompts
    (self.maximumPromptTokens, self.maximumAnswerTokens) = (maximumPromptTokens, maximumAnswerTokens)
    scorer = Scorer(model)
  }

  /// The limit on the tokens of a free-text answer to a task.
  package func answerTokens(of task: String) -> Int {
    maximumAnswerTokens ?? prompts.workflow.task(task)?.answerTokens
      ?? Workflow.TaskDefinition.defaultMaxTokens
  }

  /// Checks that all episodes can be asked with their parents' gold answers.
  ///
  /// - Parameters:
  ///   - path: the episodes' file, for messages.
  ///   - onProgress: called now and then with the number of rendered episodes and of all. An error that it throws
  ///     ends the check.
  /// - Throws: `PromptMistakes`, or `PromptError`.
  package func check(
    _ episodes: [Episode], in path: String, onProgress: (Int, Int) throws -> Void = { _, _ in }
  ) throws {
    _ = try PromptCheck(prompts, maximumPromptTokens: maximumPromptTokens).check(
      episodes, in: path, replies: .all, onProgress: onProgress)
  }

  /// Predicts the answers to one task for some episodes, in their order.
  ///
  /// If the parents' answers make a prompt longer than the context, they are shortened (``TaskAnswer/isPromptCut``).
  ///
  /// - Parameters:
  ///   - parentAnswers: for each episode, the text of each parent's answer, by the parent's name.
  ///   - view: the adapter's active columns; `nil` for the base model.
  ///   - repliesOnly: skips the ways of scoring options that do not decide the answer, which saves time.
  ///   - check: called after every few episodes. An error that it throws ends the work.
  /// - Throws: `PromptError` if an episode cannot be rendered; `Refusal` if the model's scores are not numbers; any
  ///   error of reading the model's file.
  package func answers(
    task: String, episodes: [Episode], parentAnswers: [[String: String]], view: DeviceAdapter?,
    repliesOnly: Bool = false, check: () throws -> Void = {}
  ) throws -> [TaskAnswer] {
    precondition(episodes.count == parentAnswers.count, "one dictionary of parents' answers an episode")
    var answers: [Int: TaskAnswer] = [:]
    var cut: Set<Int> = []
    var requests: [ScoreRequest] = []
    var asked: [(place: Int, item: TaskItem)] = []
    var open: [(place: Int, prompt: [Int32])] = []
    let length = answerTokens(of: task)
    for (index, episode) in episodes.enumerated() {
      guard let item = episode.tasks[task] else {
        throw PromptError.missing(task: task, episode: episode.id, what: "task '\(task)'")
      }
      let continuations =
        item.options.isEmpty ? [] : try prompts.continuations(item, repliesOnly: repliesOnly)
      let needed = continuations.map(\.count).max() ?? 1
      let prompt = try prompts.fittedPrompt(
        task: task, episode: episode, parentAnswers: parentAnswers[index], needed: needed,
        wanted: item.options.isEmpty ? min(length, prompts.contextLength) : needed,
        maximumPromptTokens: maximumPromptTokens)
      if prompt.isCut { cut.insert(index) }
      if item.options.isEmpty {
        open.append((index, prompt.tokens))
      } else {
        let request = ScoreRequest(prompt: prompt.tokens, continuations: continuations)
        try prompts.check(request, task: task, episode: episode)
        requests.append(request)
        asked.append((index, item))
      }
    }
    do {
      for (question, score) in zip(asked, try scores(requests, view, check)) {
        let sums = score.map { $0.reduce(0) { $0 + Double($1) } }
        answers[question.place] = answer(question.item, sums, repliesOnly)
      }
    } catch let error as NotFinite { throw error.refusal(task, episodes[asked[error.request].place]) }
    do {
      for (question, answer) in zip(open, try generate(open.map(\.prompt), length, view, check)) {
        answers[question.place] = answer
      }
    } catch let error as NotFinite { throw error.refusal(task, episodes[open[error.request].place]) }
    return episodes.indices.compactMap { index in
      var answer = answers[index]
      answer?.isPromptCut = cut.contains(index)
      return answer
    }
  }

  /// The number of requests, or more, between two checks; enough that few workers wait for the last one.
  private var checkedRequests: Int { max(64, 16 * model.device.workerCount) }

  /// The scores of all requests. They are cut only between two passes, so that each request shares its pass with the same
  /// others as without cuts.
  private func scores(
    _ requests: [ScoreRequest], _ view: DeviceAdapter?, _ check: () throws -> Void
  ) throws -> [[[Float]]] {
    var result: [[[Float]]] = []
    var checked = 0
    for end in ScoreRequest.passes(requests).compactMap(\.last).map({ $0 + 1 })
    where end - result.count >= checkedRequests || end == requests.count {
      result += try scorer.score(Array(requests[result.count..<end]), adapter: view)
      if let bad = result.indices.suffix(from: checked).first(where: { place in
        !result[place].allSatisfy { $0.allSatisfy(\.isFinite) }
      }) {
        throw NotFinite(request: bad)
      }
      checked = result.count
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
    _ prompts: [[Int32]], _ length: Int, _ view: DeviceAdapter?, _ check: () throws -> Void
  ) throws -> [TaskAnswer] {
    let stops = Set([self.prompts.stopToken, self.prompts.tokenizer.endOfSequence].compactMap { $0 })
    var generated: [Generated] = []
    while generated.count < prompts.count {
      // Few enough to be checked often, enough to keep every worker busy.
      let next = prompts[generated.count...].prefix(4 * model.device.workerCount)
      generated += try tokens(after: Array(next), length, stops, view)
      try check()
    }
    // If the answer is not cut off, its probability includes the stop token: the more probable one, if there
    // are two.
    let requests = zip(prompts, generated).map { prompt, answer in
      ScoreRequest(
        prompt: prompt,
        continuations: answer.isCut ? [answer.tokens] : stops.sorted().map { answer.tokens + [$0] })
    }
    return zip(generated, try scores(requests, view, check)).map { answer, scores in
      let sums = scores.map { $0.reduce(0) { $0 + Double($1) } }
      let text = self.prompts.tokenizer.decode(answer.tokens, skipSpecial: true)
      return TaskAnswer(
        text: String(text.trimmingWhitespace), probability: exp(sums.max() ?? 0), choice: nil,
        isCut: answer.isCut)
    }
  }

  /// A generated answer.
  private struct Generated: Sendable {
    var tokens: [Int32]
    /// Whether it had not ended after the tokens that it may have.
    var isCut: Bool
  }

  /// Each worker of the device continues a different prompt, by at most `length` tokens.
  private func tokens(
    after prompts: [[Int32]], _ length: Int, _ stops: Set<Int32>, _ view: DeviceAdapter?
  ) throws -> [Generated] {
    try model.device.mapItems(prompts.count) { index, _ in
      let prompt = prompts[index]
      // One more, if there is room for it, to see whether the answer ends there.
      let room = min(length + 1, self.prompts.contextLength - prompt.count)
      let tokens = try TextGenerator(model, adapter: view, capacity: prompt.count + room)
        .greedy(prompt, maximumTokens: room, stops: stops)
      return Generated(tokens: Array(tokens.prefix(length)), isCut: tokens.count == room)
    }
  }
}

/// A request with a score that is not a finite number.
private struct NotFinite: Error {
  var request: Int

  func refusal(_ task: String, _ episode: Episode) -> Refusal {
    Refusal(
      (episode.origin.map { "\($0): " } ?? "") + "episode '\(episode.id)', task '\(task)'",
      "the model's scores are not finite numbers: the weights or the adapter are damaged, or too large for the "
        + "number format",
      "fetch or convert the model again, or train again with precision float32 or a lower learningRate")
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
