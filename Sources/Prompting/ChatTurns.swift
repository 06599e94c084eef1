import JinjaTemplates
import StrictJSON
import Tokenization

/// What a model's chat template makes of a question and its answer: the text to read, the text to learn, and the end of
/// the turn.
///
/// The template's rendering of a whole conversation decides, not its generation prompt, because the two may differ. A
/// prompt is that rendering up to the answer, so that prompt and reply together are what the template writes:
///
/// | template | generation prompt | prompt | reply |
/// |---|---|---|---|
/// | ChatML | `…assistant⏎` | `…assistant⏎` | `answer` |
/// | DeepSeek R1 | `…<｜Assistant｜><think>⏎` | `…<｜Assistant｜>` | `answer` |
/// | Qwen3 | `…assistant⏎` | `…assistant⏎<think>⏎⏎</think>⏎⏎` | `answer` |
/// | Vicuna | `… ASSISTANT:` | `… ASSISTANT:` | ` answer` |
///
/// Spaces before the answer belong to the reply unless the generation prompt ends with them too: tokenizers join a
/// space with the word after it.
package struct ChatTurns: Sendable {
  /// Why a conversation cannot be rendered.
  package enum Failure: Error, Equatable {
    /// The template fails or refuses the conversation.
    case template(TemplateError)
    /// The template fails or refuses the conversation because of the system prompt.
    case refusesSystem(TemplateError)
    /// The system prompt is not in the rendering.
    case losesSystem
    /// The user's message is not in the rendering. `isPartial`: a part of it is.
    case losesUser(isPartial: Bool)
    /// There is nothing in the rendering before the answer.
    case empty
    /// The answer is not in the rendering.
    case losesAnswer
    /// The answer is in the rendering with other letters.
    case changesAnswer
  }

  /// How the content of a message is given to the template.
  private enum Form {
    case text, parts

    func content(_ text: String) -> JSONValue {
      switch self {
      case .text: .string(text)
      case .parts:
        .array([
          .object([.init(key: "type", value: .string("text")), .init(key: "text", value: .string(text))])
        ])
      }
    }
  }

  /// The forms of the system prompt, the user's message and the answer.
  private struct Forms {
    var system: Form
    var user: Form
    var answer: Form

    /// Texts first; then a list of parts for all, as templates of models that also read images need it.
    static let all = [
      Forms(system: .text, user: .text, answer: .text), Forms(system: .parts, user: .parts, answer: .parts),
      Forms(system: .text, user: .parts, answer: .text), Forms(system: .text, user: .parts, answer: .parts),
      Forms(system: .parts, user: .parts, answer: .text), Forms(system: .text, user: .text, answer: .parts),
      Forms(system: .parts, user: .text, answer: .text), Forms(system: .parts, user: .text, answer: .parts),
    ]
  }

  private let template: ChatTemplate
  private let specialTokens: [String: String]
  private let system: String?
  private let forms: Forms
  /// The spaces before the answer that belong to the reply.
  package let lead: String
  /// What the template writes after an answer.
  package let tail: String
  /// Whether the template removes white space at the start and end of an answer.
  private let trimsStart: Bool
  private let trimsEnd: Bool

  // Texts that do not occur in any template, with letters of both cases.
  private static let probeSystem = "Zqx System zqX"
  private static let probeUser = "Zqx Question zqX"
  private static let probeAnswer = "Zqx Answer zqX"

  /// - Parameter system: the system prompt; `nil` leaves it to the template.
  /// - Throws: `Failure` if the template loses or changes a message of any conversation.
  package init(
    _ template: ChatTemplate, specialTokens: [String: String], system: String?
  ) throws(Failure) {
    (self.template, self.specialTokens, self.system) = (template, specialTokens, system)
    func render(_ forms: Forms, _ system: String?, _ answer: String?) throws(TemplateError) -> String {
      try Self.render(template, specialTokens, forms, system, Self.probeUser, answer)
    }
    forms = try Self.forms(hasSystem: system.map { !PythonText.strip($0).isEmpty } ?? false, render)
    do {
      // With the system prompt itself, because what is around the answer may depend on it.
      let whole = Bytes(try render(forms, system, Self.probeAnswer))
      guard let answer = whole.last(Self.probeAnswer) else { throw Failure.losesAnswer }
      let head = whole.text(..<answer.lowerBound)
      tail = whole.text(answer.upperBound...)
      let spaces = String(head.unicodeScalars.reversed().prefix { $0 == " " }.map(Character.init))
      let generation = try? render(forms, system, nil)
      lead = generation.map { $0.utf8.elementsEqual(head.utf8) } ?? false ? "" : spaces
      let spaced = try render(forms, system, " \(Self.probeAnswer) ")
      let (kept, after) = (" \(Self.probeAnswer)", " \(tail)")
      let isStartKept = spaced.utf8.starts(with: (head + kept).utf8)
      trimsStart = !isStartKept && spaced.utf8.starts(with: (head + Self.probeAnswer).utf8)
      let end = spaced.utf8.dropFirst(head.utf8.count + Self.probeAnswer.utf8.count + (isStartKept ? 1 : 0))
      trimsEnd = !end.elementsEqual(after.utf8) && end.elementsEqual(tail.utf8)
    } catch let error as TemplateError {
      throw .template(error)
    } catch let failure as Failure {
      throw failure
    } catch {
      preconditionFailure("rendering throws nothing else")
    }
  }

  /// The first forms in which the template writes every message.
  private static func forms(
    hasSystem: Bool, _ render: (Forms, String?, String?) throws(TemplateError) -> String
  ) throws(Failure) -> Forms {
    var first: Failure?
    for forms in Forms.all {
      do {
        let text = Bytes(try render(forms, hasSystem ? probeSystem : nil, probeAnswer))
        let loss = loss(text, hasSystem: hasSystem)
        guard let failure = spellsParts(text) ? .losesUser(isPartial: false) : loss else { return forms }
        // What a rendering lacks says more than why another fails.
        if case .template? = first { first = failure }
        first = first ?? failure
      } catch {
        first = first ?? .template(error)
      }
    }
    if hasSystem, case .template(let error)? = first, (try? Self.forms(hasSystem: false, render)) != nil {
      throw .refusesSystem(error)
    }
    throw first ?? .losesUser(isPartial: false)
  }

  /// Whether a list of parts was written as Python or JSON spells it, by a template that does not know lists.
  private static func spellsParts(_ text: Bytes) -> Bool {
    [probeSystem, probeUser, probeAnswer].contains { probe in
      ["'text': '", "\"text\": \""].contains { text.last($0 + probe) != nil }
    }
  }

  private static func loss(_ text: Bytes, hasSystem: Bool) -> Failure? {
    let answer = text.last(probeAnswer)
    let head = answer.map { Bytes(text.text(..<$0.lowerBound)) } ?? text
    if head.last(probeUser) == nil {
      return PythonText.strip(head.text(0...)).isEmpty ? .empty : .losesUser(isPartial: false)
    }
    if hasSystem, head.last(probeSystem) == nil { return .losesSystem }
    guard answer == nil else { return nil }
    return Bytes(text.text(0...).lowercased()).last(probeAnswer.lowercased()) == nil
      ? .losesAnswer : .changesAnswer
  }

  private static func render(
    _ template: ChatTemplate, _ specialTokens: [String: String], _ forms: Forms, _ system: String?,
    _ user: String, _ answer: String?
  ) throws(TemplateError) -> String {
    var messages = [ChatMessage(role: "user", content: forms.user.content(user))]
    if let system {
      messages.insert(ChatMessage(role: "system", content: forms.system.content(system)), at: 0)
    }
    if let answer { messages.append(ChatMessage(role: "assistant", content: forms.answer.content(answer))) }
    return try template.render(
      messages: messages, addGenerationPrompt: answer == nil, specialTokens: specialTokens)
  }

  private func rendered(_ user: String, _ answer: String) throws(Failure) -> Bytes {
    do {
      return Bytes(try Self.render(template, specialTokens, forms, system, user, answer))
    } catch {
      throw .template(error)
    }
  }

  /// The text up to the reply.
  ///
  /// - Parameter user: the user's message.
  /// - Throws: `Failure` if the template fails, or if the message or the system prompt is not in the text. White space at
  ///   their ends may be missing.
  package func prompt(_ user: String) throws(Failure) -> String {
    let whole = try rendered(user, Self.probeAnswer)
    guard let answer = whole.last(Self.probeAnswer) else { throw .losesAnswer }
    let prompt = whole.text(..<answer.lowerBound)
    let bytes = Bytes(prompt)
    guard bytes.last(PythonText.strip(user)) != nil else {
      // Whole lines, or the start of the message.
      let parts = user.split(whereSeparator: \.isNewline) + [PythonText.strip(user).prefix(12)]
      let texts = parts.map { PythonText.strip(String($0)) }
      throw .losesUser(isPartial: texts.contains { !$0.isEmpty && bytes.last($0) != nil })
    }
    if let system, bytes.last(PythonText.strip(system)) == nil { throw .losesSystem }
    // The answer to another message may be preceded by something else.
    guard prompt.utf8.suffix(lead.utf8.count).elementsEqual(lead.utf8) else { return prompt }
    return bytes.text(..<(prompt.utf8.count - lead.utf8.count))
  }

  /// The text to learn for an answer, up to the end of the turn.
  package func reply(_ answer: String) -> String {
    lead + PythonText.strip(answer, left: trimsStart, right: trimsEnd)
  }

  /// Whether the template's own rendering of the conversation is the prompt, the reply and an end of turn.
  ///
  /// - Parameters:
  ///   - prompt: the result of ``prompt(_:)`` for `user`.
  ///   - isEnd: whether a text that differs from `tail` ends the turn in the same way.
  /// - Throws: `Failure` if the template fails.
  package func writes(
    _ answer: String, after prompt: String, to user: String, isEnd: (String) -> Bool
  ) throws(Failure) -> Bool {
    let whole = try rendered(user, answer)
    let expected = prompt + reply(answer)
    guard whole.starts(with: expected) else { return false }
    let end = whole.text(expected.utf8.count...)
    return end.utf8.elementsEqual(tail.utf8) || isEnd(end)
  }
}

/// A text that is searched by its bytes: Swift's own searches compare characters, so that they miss a text before a
/// combining mark.
struct Bytes {
  private let bytes: [UInt8]

  init(_ text: String) { bytes = Array(text.utf8) }

  /// The last place of `part`; the end of the text if `part` is empty.
  func last(_ part: String) -> Range<Int>? {
    guard !part.isEmpty else { return bytes.count..<bytes.count }
    let length = part.utf8.count
    return PythonText.occurrences(of: Array(part.utf8), in: bytes, fromRight: true, limit: 1).first
      .map { $0..<$0 + length }
  }

  func starts(with part: String) -> Bool { bytes.starts(with: part.utf8) }

  /// The text of a range of bytes, which must not cut a scalar.
  func text(_ range: some RangeExpression<Int>) -> String { String(decoding: bytes[range], as: UTF8.self) }
}
