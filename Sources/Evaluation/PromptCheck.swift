import Datasets
import Dispatch
import InputErrors
import Locking
import Prompting
import Workflows

/// The tokens of a task's item: what its prompt and its replies take.
package struct PromptLengths: Sendable, Equatable {
  /// The prompt and the gold reply without its last token, which is only predicted.
  package var sequence: Int32
  /// The tokens of a gold free-text answer, without the end of the turn; 0 for an item with options, and without a
  /// gold answer.
  package var answer: Int32
}

/// The gold answers of a task that are longer than its free-text answers may be.
package struct LongAnswers: Sendable, Equatable, Codable {
  package var task: String
  /// The number of gold answers with more than `limit` tokens.
  package var count: Int
  /// The number of free-text items of the task.
  package var of: Int
  /// The tokens of the longest one.
  package var longest: Int
  /// The limit on the tokens of an answer.
  package var limit: Int

  /// One line with the fix.
  package var text: String {
    "\(count) of \(of) gold answers of \(task) have more than the \(limit) tokens that a generated answer may have, "
      + "so no answer can match them (the longest has \(longest)); set tasks.\(task).maxTokens to \(longest)"
  }
}

/// The episodes of a file that cannot be shown to the model.
package struct PromptMistakes: InputErrorList, Equatable {
  /// The maximum number of reported errors per file.
  package static let limit = 20

  /// The file.
  package let path: String
  /// The number of its episodes.
  package let episodes: Int
  /// The first error of each episode that has one, up to ``limit``.
  package let mistakes: [PromptError]
  /// The number of episodes with an error.
  package let count: Int

  /// One line per error, with file, line, problem and fix, and one with the number of them if there are several.
  package var messages: [String] {
    let lines = mistakes.map(\.description)
    guard count > 1 else { return lines }
    return lines + [
      "\(path): \(count) of \(episodes) episodes cannot be shown to the model; correct or remove them"
    ]
  }
}

/// Renders every prompt of a file's episodes, to find those that the model cannot be shown before hours of work.
package struct PromptCheck: Sendable {
  private let prompts: PromptRenderer
  private let maximumPromptTokens: Int

  /// - Parameter maximumPromptTokens: a limit on a prompt's tokens below that of the context.
  package init(_ prompts: PromptRenderer, maximumPromptTokens: Int = .max) {
    (self.prompts, self.maximumPromptTokens) = (prompts, maximumPromptTokens)
  }

  /// Which replies of an item with options must fit after its prompt.
  package enum Replies: Sendable {
    /// The gold one, as in training.
    case gold
    /// Those of every option, in every way of scoring, as in evaluation.
    case all
  }

  /// What a check found.
  package struct Result: Sendable {
    /// By task, the lengths of each episode's item.
    package fileprivate(set) var lengths: [String: [PromptLengths]] = [:]
    /// The tasks with gold answers that are too long, in the order of the workflow.
    package fileprivate(set) var longAnswers: [LongAnswers] = []
  }

  /// The episodes that are rendered between two calls of `onProgress`.
  private static let chunk = 1024

  /// Renders all tasks of all episodes with their parents' gold answers, on all processors.
  ///
  /// - Parameters:
  ///   - path: the episodes' file, for messages.
  ///   - onProgress: called now and then with the number of rendered episodes and of all. An error that it throws
  ///     ends the check.
  /// - Throws: `PromptMistakes`, or `PromptError` for a single episode or for what concerns all of them.
  package func check(
    _ episodes: some RandomAccessCollection<Episode> & Sendable, in path: String, replies: Replies,
    tasks: [String]? = nil, onProgress: (Int, Int) throws -> Void = { _, _ in }
  ) throws -> Result {
    let tasks = tasks ?? prompts.workflow.tasks.map(\.name)
    let count = episodes.count
    var result = Result()
    for task in tasks { result.lengths[task] = [] }
    var (mistakes, mistaken): ([PromptError], Int) = ([], 0)
    for start in stride(from: 0, to: count, by: Self.chunk) {
      try onProgress(start, count)
      let end = min(start + Self.chunk, count)
      for outcome in concurrently(start..<end, { try lengths(episodes, $0, replies, tasks) }) {
        switch outcome {
        case .success(let lengths):
          for (task, length) in zip(tasks, lengths) { result.lengths[task]?.append(length) }
        case .failure(let error as PromptError) where error.isOfOneEpisode:
          mistaken += 1
          if mistakes.count < PromptMistakes.limit { mistakes.append(error) }
        case .failure(let error): throw error
        }
      }
    }
    if mistaken == 1, let only = mistakes.first { throw only }
    if mistaken > 0 {
      throw PromptMistakes(path: path, episodes: count, mistakes: mistakes, count: mistaken)
    }
    result.longAnswers = tasks.compactMap { longAnswers($0, result.lengths[$0] ?? []) }
    return result
  }

  private func longAnswers(_ task: String, _ lengths: [PromptLengths]) -> LongAnswers? {
    let limit = prompts.workflow.task(task)?.answerTokens ?? Workflow.TaskDefinition.defaultMaxTokens
    let answers = lengths.map { Int($0.answer) }
    let count = answers.count { $0 > limit }
    guard count > 0, let longest = answers.max() else { return nil }
    return LongAnswers(
      task: task, count: count, of: answers.count { $0 > 0 }, longest: longest, limit: limit)
  }

  private func lengths(
    _ episodes: some RandomAccessCollection<Episode>, _ place: Int, _ replies: Replies, _ tasks: [String]
  ) throws -> [PromptLengths] {
    let episode = episodes[episodes.index(episodes.startIndex, offsetBy: place)]
    return try tasks.map { task in
      let example = try prompts.example(
        task: task, episode: episode,
        parentAnswers: episode.goldAnswers(of: prompts.workflow.graph.parents(of: task)))
      guard example.prompt.count <= maximumPromptTokens else {
        throw PromptError.tooLong(
          task: task, episode: episode.id, length: example.prompt.count, limit: maximumPromptTokens,
          at: episode.origin)
      }
      var lengths = PromptLengths(
        sequence: Int32(example.prompt.count + example.completion.count - 1), answer: 0)
      guard let item = episode.tasks[task], !item.options.isEmpty else {
        if episode.tasks[task]?.answer != .unknown {
          lengths.answer = Int32(example.completion.count - prompts.endOfTurnCount)
        }
        return lengths
      }
      if replies == .all {
        try prompts.check(
          promptCount: example.prompt.count,
          prompts.continuations(item, repliesOnly: false), task: task, episode: episode)
      }
      return lengths
    }
  }

  /// The results for all items of a range, in order.
  private func concurrently<Value: Sendable>(
    _ range: Range<Int>, _ work: @Sendable (Int) throws -> Value
  ) -> [Swift.Result<Value, any Error>] {
    let slice = 16
    let parts = Locked<[Int: [Swift.Result<Value, any Error>]]>([:])
    DispatchQueue.concurrentPerform(iterations: (range.count + slice - 1) / slice) { part in
      let start = range.lowerBound + part * slice
      let results = (start..<min(start + slice, range.upperBound)).map { place in
        Swift.Result { try work(place) }
      }
      parts.withLock { $0[part] = results }
    }
    return parts.withLock { parts in parts.keys.sorted().flatMap { parts[$0] ?? [] } }
  }
}

extension PromptError {
  /// Whether other episodes may be without this error.
  fileprivate var isOfOneEpisode: Bool {
    switch self {
    case .tooLong, .missing, .tooManyOptions, .changesAnswer: true
    case .losesUser(let isPartial, _, _, _): isPartial
    case .noEmbedding(_, _, _, let task, _, _): task != nil
    case .empty, .template, .letter, .templateFails, .noEndOfTurn, .losesAnswers, .changesAnswers,
      .losesSystem, .refusesSystem:
      false
    }
  }
}
