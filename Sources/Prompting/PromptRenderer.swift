import Datasets
import Tokenization
import Workflows

/// Turns a task of an episode into the tokens a model reads and the tokens it shall answer with.
///
/// The user's message holds, each on a line of its own: the task's instruction, its parents' answers, the
/// inputs it names, the question, and the options as `A. text`. The model's own chat template wraps it. What
/// the parents found comes before the inputs, so that a causal model reads these already knowing what to
/// look for.
package struct PromptRenderer: Sendable {
  /// The workflow whose tasks are rendered.
  package let workflow: Workflow
  /// The model's tokenizer.
  package let tokenizer: Tokenizer
  /// The longest sequence the model computes, in tokens.
  package let contextLength: Int
  private let template: ChatTemplate
  private let specialTokens: [String: String]
  /// What the template puts after an assistant's message: the model's way to end its turn.
  private let endOfTurn: [Int32]

  /// - Throws: `PromptError` where the template cannot render a message, or neither it nor the tokenizer has
  ///   an end of turn.
  package init(
    workflow: Workflow, tokenizer: Tokenizer, template: ChatTemplate, specialTokens: [String: String],
    contextLength: Int
  ) throws {
    self.workflow = workflow
    self.tokenizer = tokenizer
    self.template = template
    self.specialTokens = specialTokens
    self.contextLength = contextLength
    endOfTurn = try Self.endOfTurn(template, tokenizer, specialTokens)
  }

  /// The token that ends the model's turn.
  package var stopToken: Int32 { endOfTurn[endOfTurn.count - 1] }

  private static func endOfTurn(
    _ template: ChatTemplate, _ tokenizer: Tokenizer, _ specialTokens: [String: String]
  ) throws -> [Int32] {
    // A word that no template has of its own.
    let content = "zqxanswerzqx"
    let text: String
    do {
      text = try template.render(
        messages: [
          ChatMessage(role: "user", content: "question"), ChatMessage(role: "assistant", content: content),
        ], addGenerationPrompt: false, specialTokens: specialTokens)
    } catch {
      throw PromptError.templateFails(reason: error.description)
    }
    // Up to and including the first special token after the assistant's words.
    if let end = text.ranges(of: content).last?.upperBound {
      let rest = tokenizer.encode(String(text[end...]))
      if let stop = rest.firstIndex(where: { tokenizer.isSpecial($0) }) { return Array(rest[...stop]) }
    }
    guard let end = tokenizer.endOfSequence else { throw PromptError.noEndOfTurn }
    return [end]
  }

  /// The tokens of a task's prompt.
  ///
  /// - Parameter parentAnswers: by parent's name, the text of its answer.
  /// - Throws: `PromptError` naming the episode and what it lacks.
  package func prompt(task name: String, episode: Episode, parentAnswers: [String: String]) throws -> [Int32]
  {
    let content = try text(task: name, episode: episode, parentAnswers: parentAnswers)
    let rendered = try rendered(content, task: name, episode: episode)
    guard let tokens = tokens(of: rendered, content: content) else {
      throw PromptError.controlToken(task: name, episode: episode.id, at: episode.origin)
    }
    guard tokens.count < contextLength else {
      throw PromptError.tooLong(
        task: name, episode: episode.id, length: tokens.count, limit: contextLength, at: episode.origin)
    }
    return tokens
  }

  /// A task's prompt as text: the user's message in the model's chat template, up to where the reply begins.
  ///
  /// - Parameter parentAnswers: by parent's name, the text of its answer.
  /// - Throws: `PromptError` naming the episode and what it lacks.
  package func renderedPrompt(task name: String, episode: Episode, parentAnswers: [String: String]) throws
    -> String
  {
    try rendered(
      text(task: name, episode: episode, parentAnswers: parentAnswers), task: name, episode: episode)
  }

  /// A task's prompt with names in braces in the place of what an episode brings.
  ///
  /// - Throws: `PromptError` where the workflow has no such task, or the template cannot render it.
  package func promptForm(task name: String) throws -> String {
    let (episode, answers) = form(name)
    return try renderedPrompt(task: name, episode: episode, parentAnswers: answers)
  }

  /// The tokens of ``promptForm(task:)``.
  ///
  /// - Throws: `PromptError` likewise, and where the form is longer than the context.
  package func promptFormTokens(task name: String) throws -> [Int32] {
    let (episode, answers) = form(name)
    return try prompt(task: name, episode: episode, parentAnswers: answers)
  }

  /// An episode of a task, and its parents' answers, that are names in braces.
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
    var messages = [ChatMessage(role: "user", content: content)]
    if let system = workflow.system { messages.insert(ChatMessage(role: "system", content: system), at: 0) }
    do {
      return try template.render(
        messages: messages, addGenerationPrompt: true, specialTokens: specialTokens)
    } catch {
      throw PromptError.template(
        task: name, episode: episode.id, reason: error.description, at: episode.origin)
    }
  }

  /// The tokens of a rendered prompt. Control tokens are the template's alone: where the user's message
  /// spells one out, that message is tokenised as plain text, so that data cannot end a turn. `nil` where
  /// the message is not found in the prompt then.
  private func tokens(of rendered: String, content: String) -> [Int32]? {
    guard tokenizer.encode(content).contains(where: { tokenizer.isSpecial($0) }) else {
      return tokenizer.encode(rendered)
    }
    // Some templates trim what they are given.
    let trimmed = content.trimmingPrefix(while: \.isWhitespace).trimmingSuffix(while: \.isWhitespace)
    for part in [content, String(trimmed)] {
      guard let range = rendered.ranges(of: part).last else { continue }
      return tokenizer.encode(String(rendered[..<range.lowerBound]))
        + tokenizer.encode(part, parseSpecial: false)
        + tokenizer.encode(String(rendered[range.upperBound...]))
    }
    return nil
  }

  /// The user's message of a task.
  ///
  /// - Throws: `PromptError` naming the episode and what it lacks.
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

  /// As many options as there are letters.
  package static let maximumOptions = TaskItem.maximumOptions

  /// The letter of an option: A, B, C and so on.
  ///
  /// - Precondition: there are at most 26 options.
  package static func letter(_ index: Int) -> String {
    precondition((0..<maximumOptions).contains(index), "letters run from A to Z")
    return String(UnicodeScalar(UInt8(65 + index)))
  }

  /// What the model shall reply for an option, in the workflow's answer form.
  package func reply(_ item: TaskItem, option index: Int) -> String {
    switch workflow.training.answerForm {
    case .letter: Self.letter(index)
    case .text: item.options[index]
    case .letterText: "\(Self.letter(index)). \(item.options[index])"
    }
  }

  /// The text by which an option is scored: the reply in the workflow's answer form, or, where that is the
  /// letter alone, the option's own text.
  package func scoredText(_ item: TaskItem, option index: Int) -> String {
    workflow.training.answerForm == .letter ? item.options[index] : reply(item, option: index)
  }

  /// The right reply, of an option or as free text; empty where no answer is recorded.
  package func reply(_ item: TaskItem) -> String {
    switch item.answer {
    case .option(let index): reply(item, option: index)
    case .text(let text): text
    case .unknown: ""
    }
  }

  /// The tokens of a reply, up to the end of the model's turn. Prompt and reply are tokenised apart.
  package func completion(_ reply: String) -> [Int32] {
    tokenizer.encode(reply, parseSpecial: false) + endOfTurn
  }

  /// The token that starts a reply by its letter.
  ///
  /// - Throws: `PromptError` where the letter is not a token of its own.
  package func letterToken(_ index: Int) throws -> Int32 {
    let tokens = tokenizer.encode(Self.letter(index), parseSpecial: false)
    guard tokens.count == 1 else { throw PromptError.letter(Self.letter(index)) }
    return tokens[0]
  }

  /// Prompt and right completion of a task, for training.
  ///
  /// - Throws: `PromptError` where the episode lacks something or the two are longer than the context.
  package func example(task: String, episode: Episode, parentAnswers: [String: String]) throws
    -> PromptExample
  {
    let prompt = try prompt(task: task, episode: episode, parentAnswers: parentAnswers)
    guard let item = episode.tasks[task] else {
      throw PromptError.missing(
        task: task, episode: episode.id, what: "task '\(task)'", at: episode.origin)
    }
    let completion = completion(reply(item))
    guard prompt.count + completion.count <= contextLength else {
      throw PromptError.tooLong(
        task: task, episode: episode.id, length: prompt.count + completion.count, limit: contextLength,
        at: episode.origin)
    }
    return PromptExample(prompt: prompt, completion: completion)
  }
}

/// Tokens to read and tokens to answer.
package struct PromptExample: Sendable, Equatable {
  /// What the model reads.
  package var prompt: [Int32]
  /// What it shall answer, its end of turn included.
  package var completion: [Int32]
}

extension Episode {
  /// The recorded answers of some tasks, as text.
  package func goldAnswers(of tasks: [String]) -> [String: String] {
    Dictionary(
      tasks.compactMap { task in self.tasks[task].map { (task, $0.answerText) } }, uniquingKeysWith: { $1 })
  }
}

extension Substring {
  /// Without what `predicate` holds for at the end.
  fileprivate func trimmingSuffix(while predicate: (Character) -> Bool) -> Substring {
    var end = endIndex
    while end > startIndex, predicate(self[index(before: end)]) { end = index(before: end) }
    return self[..<end]
  }
}
