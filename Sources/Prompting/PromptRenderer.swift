import Datasets
import JinjaTemplates
import Tokenization
import Workflows

/// Renders a task of an episode as prompt tokens and completion tokens.
///
/// The user message contains, each on its own line: the task's instruction, its parents' answers, its inputs,
/// the question, and the options as `A. text`. The model's own chat template wraps the message. The parents'
/// answers precede the inputs, so that a causal model reads the inputs knowing what to look for.
package struct PromptRenderer: Sendable {
  package let workflow: Workflow
  package let tokenizer: Tokenizer
  /// The longest sequence that the model supports, in tokens.
  package let contextLength: Int
  /// The number of tokens that the model has embeddings for; its tokenizer may have more.
  package let vocabularySize: Int
  private let turns: ChatTurns
  /// The tokens after an assistant's message, up to the special token that ends the turn.
  private let endOfTurn: [Int32]

  /// - Throws: `PromptError` if the template cannot render a message or loses it, neither it nor the tokenizer has an
  ///   end of turn, or the model has no embedding for it.
  package init(
    workflow: Workflow, tokenizer: Tokenizer, template: ChatTemplate, specialTokens: [String: String],
    contextLength: Int, vocabularySize: Int
  ) throws {
    self.workflow = workflow
    self.tokenizer = tokenizer
    do {
      turns = try ChatTurns(template, specialTokens: specialTokens, system: workflow.system)
    } catch {
      throw PromptError.turns(error)
    }
    (self.contextLength, self.vocabularySize) = (contextLength, vocabularySize)
    guard let end = Self.endOfTurn(turns.tail, tokenizer) else { throw PromptError.noEndOfTurn }
    endOfTurn = end
    try check(endOfTurn)
  }

  /// Checks that the model has an embedding for each token.
  ///
  /// - Parameter episode: for the message; `nil` if the tokens are of the template.
  /// - Throws: `PromptError` otherwise.
  package func check(_ tokens: [Int32], task: String? = nil, episode: Episode? = nil) throws(PromptError) {
    guard let token = tokens.first(where: { $0 < 0 || $0 >= vocabularySize }) else { return }
    throw .noEmbedding(
      token: token, text: tokenizer.decode([token], skipSpecial: false), rows: vocabularySize, task: task,
      episode: episode?.id, at: episode?.origin)
  }

  /// The token that ends the model's turn.
  package var stopToken: Int32 { endOfTurn[endOfTurn.count - 1] }

  /// The number of tokens that end the model's turn, up to and including ``stopToken``.
  package var endOfTurnCount: Int { endOfTurn.count }

  /// The tokens of what the template writes after an answer, up to and including the first special token; the end of the
  /// sequence if there is no special token.
  private static func endOfTurn(_ tail: String, _ tokenizer: Tokenizer) -> [Int32]? {
    let tokens = tokenizer.encode(tail)
    if let stop = tokens.firstIndex(where: { tokenizer.isSpecial($0) }) { return Array(tokens[...stop]) }
    return tokenizer.endOfSequence.map { [$0] }
  }

  /// The prompt of a task as tokens.
  ///
  /// - Parameter parentAnswers: the text of each parent's answer, by the parent's name.
  /// - Throws: `PromptError` with the episode and the problem.
  package func prompt(task name: String, episode: Episode, parentAnswers: [String: String]) throws -> [Int32]
  {
    let content = try text(task: name, episode: episode, parentAnswers: parentAnswers)
    let tokens = tokens(of: try rendered(content, task: name, episode: episode), content: content)
    guard !tokens.isEmpty else {
      throw PromptError.empty(task: name, episode: episode.id, at: episode.origin)
    }
    try check(tokens, task: name, episode: episode)
    guard tokens.count < contextLength else {
      throw PromptError.tooLong(
        task: name, episode: episode.id, length: tokens.count, limit: contextLength, at: episode.origin)
    }
    return tokens
  }

  /// The prompt of a task as text: the user message in the model's chat template, up to the start of the
  /// reply.
  ///
  /// - Parameter parentAnswers: the text of each parent's answer, by the parent's name.
  /// - Throws: `PromptError` with the episode and the problem.
  package func renderedPrompt(task name: String, episode: Episode, parentAnswers: [String: String]) throws
    -> String
  {
    try rendered(
      text(task: name, episode: episode, parentAnswers: parentAnswers), task: name, episode: episode)
  }

  /// A task's prompt with names in braces as placeholders for the contents of an episode.
  ///
  /// - Throws: `PromptError` if the workflow has no such task, or the template cannot render it.
  package func promptForm(task name: String) throws -> String {
    let (episode, answers) = form(name)
    return try renderedPrompt(task: name, episode: episode, parentAnswers: answers)
  }

  /// The tokens of ``promptForm(task:)``.
  ///
  /// - Throws: `PromptError` for the same reasons, or if the tokens exceed the context.
  package func promptFormTokens(task name: String) throws -> [Int32] {
    let (episode, answers) = form(name)
    return try prompt(task: name, episode: episode, parentAnswers: answers)
  }

  /// An episode of a task and its parents' answers, with names in braces as contents.
  private func form(_ name: String) -> (Episode, parentAnswers: [String: String]) {
    let inputs = workflow.task(name)?.inputs ?? []
    let parents = workflow.task(name)?.parents ?? []
    func braced(_ names: [String], _ text: (String) -> String) -> [String: String] {
      Dictionary(names.map { ($0, text($0)) }, uniquingKeysWith: { $1 })
    }
    let episode = Episode(
      id: "form", inputs: braced(inputs) { "{\($0)}" },
      tasks: [name: TaskItem(question: "{question}", options: ["{an option}", "{another option}"])])
    return (episode, braced(parents) { "{answer of \($0)}" })
  }

  private func rendered(_ content: String, task name: String, episode: Episode) throws(PromptError) -> String
  {
    do {
      return try turns.prompt(content)
    } catch {
      throw .turns(error, task: name, episode: episode.id, at: episode.origin)
    }
  }

  /// The tokens of a rendered prompt. Control tokens come only from the template: if the user message
  /// contains the spelling of one, the message is tokenised as plain text, so that data cannot end a turn.
  ///
  /// - Parameter rendered: contains the user message, perhaps without white space at its ends.
  private func tokens(of rendered: String, content: String) -> [Int32] {
    guard tokenizer.containsSpecial(content) else {
      return tokenizer.encode(rendered)
    }
    let bytes = Bytes(rendered)
    for part in [content, PythonText.strip(content)] {
      guard let range = bytes.last(part) else { continue }
      return tokenizer.encode(bytes.text(..<range.lowerBound)) + tokenizer.encode(part, parseSpecial: false)
        + tokenizer.encode(bytes.text(range.upperBound...))
    }
    preconditionFailure("a prompt without its message was rendered")
  }

  /// The user message of a task.
  ///
  /// - Throws: `PromptError` with the episode and the problem.
  package func text(task name: String, episode: Episode, parentAnswers: [String: String]) throws -> String {
    func missing(_ what: String) -> PromptError {
      .missing(task: name, episode: episode.id, what: what, at: episode.origin)
    }
    guard let task = workflow.task(name), let item = episode.tasks[name] else {
      throw missing("task '\(name)'")
    }
    var lines = [task.instruction]
    for parent in task.parents {
      guard let answer = parentAnswers[parent] else {
        throw missing("an answer of '\(parent)'")
      }
      lines.append("\(parent): \(answer)")
    }
    for input in task.inputs {
      guard let value = episode.inputs[input] else {
        throw missing("input '\(input)'")
      }
      lines.append("\(input): \(value)")
    }
    lines.append(item.question)
    guard item.options.count <= Self.maximumOptions else {
      throw PromptError.tooManyOptions(
        task: name, episode: episode.id, count: item.options.count, at: episode.origin)
    }
    for (index, option) in item.options.enumerated() { lines.append("\(Self.letter(index)). \(option)") }
    return lines.joined(separator: "\n")
  }

  /// The maximum number of options: one for each letter.
  package static let maximumOptions = TaskItem.maximumOptions

  /// The letter of an option: A, B, C and so on.
  ///
  /// - Precondition: `index` is in `0..<maximumOptions`.
  package static func letter(_ index: Int) -> String {
    precondition((0..<maximumOptions).contains(index), "letters run from A to Z")
    return String(UnicodeScalar(UInt8(65 + index)))
  }

  /// The target reply for an option, in the workflow's answer form.
  package func reply(_ item: TaskItem, option index: Int) -> String {
    switch workflow.training.answerForm {
    case .letter: Self.letter(index)
    case .text: item.options[index]
    case .letterText: "\(Self.letter(index)). \(item.options[index])"
    }
  }

  /// The text with which an option is scored: the reply in the workflow's answer form or, if that is only a
  /// letter, the option's text.
  package func scoredText(_ item: TaskItem, option index: Int) -> String {
    workflow.training.answerForm == .letter ? item.options[index] : reply(item, option: index)
  }

  /// The gold reply, for an option or free text; empty if there is no gold answer.
  package func reply(_ item: TaskItem) -> String {
    switch item.answer {
    case .option(let index): reply(item, option: index)
    case .text(let text): text
    case .unknown: ""
    }
  }

  /// The tokens of a reply as the template writes it, including the end of the turn. Prompt and reply are tokenised
  /// separately.
  package func completion(_ reply: String) -> [Int32] {
    tokenizer.encode(turns.reply(reply), parseSpecial: false) + endOfTurn
  }

  /// The tokens of an option's letter at the start of a reply: one, after those of spaces that the template writes before
  /// an answer.
  ///
  /// - Throws: `PromptError` if the letter is not a single token.
  package func letterTokens(_ index: Int) throws -> [Int32] {
    let tokens = tokenizer.encode(turns.reply(Self.letter(index)), parseSpecial: false)
    let lead = tokenizer.encode(turns.lead, parseSpecial: false)
    guard tokens != lead, tokens.count == 1 || (tokens.count == lead.count + 1 && tokens.starts(with: lead))
    else {
      throw PromptError.letter(Self.letter(index))
    }
    return tokens
  }

  /// A task's prompt and gold completion, for training.
  ///
  /// - Throws: `PromptError` if the episode lacks something, the tokens exceed the context, or the template writes
  ///   something else than prompt and completion for the question and its gold answer.
  package func example(task: String, episode: Episode, parentAnswers: [String: String]) throws
    -> PromptExample
  {
    let prompt = try prompt(task: task, episode: episode, parentAnswers: parentAnswers)
    guard let item = episode.tasks[task] else {
      throw PromptError.missing(
        task: task, episode: episode.id, what: "task '\(task)'", at: episode.origin)
    }
    let completion = completion(reply(item))
    if item.answer != .unknown {
      try checkReply(
        reply(item), to: try text(task: task, episode: episode, parentAnswers: parentAnswers), task: task,
        episode: episode)
    }
    try check(completion, task: task, episode: episode)
    guard prompt.count + completion.count <= contextLength else {
      throw PromptError.tooLong(
        task: task, episode: episode.id, length: prompt.count + completion.count, limit: contextLength,
        at: episode.origin)
    }
    return PromptExample(prompt: prompt, completion: completion)
  }

  /// Checks that the template writes prompt and completion for a question and an answer.
  private func checkReply(
    _ reply: String, to content: String, task: String, episode: Episode
  ) throws(PromptError) {
    let isWritten: Bool
    do {
      isWritten = try turns.writes(reply, after: try turns.prompt(content), to: content) {
        Self.endOfTurn($0, tokenizer) == endOfTurn
      }
    } catch {
      throw .turns(error, task: task, episode: episode.id, at: episode.origin)
    }
    guard isWritten else {
      throw .changesAnswer(answer: reply, task: task, episode: episode.id, at: episode.origin)
    }
  }
}

/// The input and target tokens of one sample.
package struct PromptExample: Sendable, Equatable {
  /// The input tokens.
  package var prompt: [Int32]
  /// The target tokens, including the end of the turn.
  package var completion: [Int32]
}

extension Episode {
  /// The gold answers of some tasks, as text.
  package func goldAnswers(of tasks: [String]) -> [String: String] {
    Dictionary(
      tasks.compactMap { task in self.tasks[task].map { (task, $0.answerText) } }, uniquingKeysWith: { $1 })
  }
}
