import Foundation
import InputErrors
import LanguageModels
import Tensor
import TextTables
import Tokenization

/// The output of `contexture score`.
struct ScoreReport: Encodable {
  /// A token with its natural log-probability, `nil` for a token with none before it.
  struct Token: Encodable {
    let id: Int32
    let text: String
    let logProbability: Float?
  }

  struct Completion: Encodable {
    let text: String
    let tokens: [Token]
    /// The sum of the tokens' log-probabilities.
    let logProbability: Float
  }

  let model: String
  let precision: String
  let prompt: [Token]
  let completions: [Completion]
  let next: [Token]

  /// Computes the scores with the base model.
  ///
  /// - Throws: the weight source's error for a damaged file.
  init(
    path: String, request: ScoreRequest, texts: [String], top: Int, model llama: LlamaModel,
    tokenizer: Tokenizer
  ) throws {
    let scorer = Scorer(llama)
    func tokens(_ ids: [Int32], _ scores: [Float?]) -> [Token] {
      zip(ids, scores).map {
        Token(id: $0, text: tokenizer.decode([$0], skipSpecial: false), logProbability: $1)
      }
    }
    model = path
    precision = llama.device.computeType == .bfloat16 ? "bfloat16" : "float32"

    let rest = Array(request.prompt.dropFirst())
    let promptScores =
      rest.isEmpty
      ? []
      : try scorer.score(
        [ScoreRequest(prompt: [request.prompt[0]], continuations: [rest])], adapter: nil)[0][0]
    prompt = tokens(request.prompt, [nil] + promptScores)

    let scores =
      request.continuations.isEmpty ? [] : try scorer.score([request], adapter: nil)[0]
    completions = zip(texts, zip(request.continuations, scores)).map { text, scored in
      Completion(
        text: text, tokens: tokens(scored.0, scored.1), logProbability: scored.1.reduce(0, +))
    }

    let logits = try TextGenerator(llama, adapter: nil, capacity: request.prompt.count).feed(request.prompt)
    guard logits.allSatisfy(\.isFinite) else {
      throw Refusal(
        path, "its logits are not numbers: the weights are damaged",
        "fetch or convert the model again")
    }
    next = Self.best(top, logits).map {
      Token(
        id: Int32($0.index), text: tokenizer.decode([Int32($0.index)], skipSpecial: false),
        logProbability: $0.logProbability)
    }
  }

  /// The `count` largest values of log softmax(logits), best first; equal ones in the order of their indices.
  static func best(_ count: Int, _ logits: [Float]) -> [(index: Int, logProbability: Float)] {
    guard let largest = logits.max() else { return [] }
    let total = logits.reduce(0.0) { $0 + exp(Double($1 - largest)) }
    let order = logits.indices.sorted { (logits[$1], $0) < (logits[$0], $1) }
    return order.prefix(count).map { ($0, Float(Double(logits[$0] - largest) - log(total))) }
  }

  /// The report as tables.
  var text: String {
    var sections = ["\(model), \(precision)", "Prompt\n" + Self.table(prompt)]
    for completion in completions {
      sections.append(
        "Completion \(Self.quoted(completion.text)): \(Self.number(completion.logProbability))\n"
          + Self.table(completion.tokens))
    }
    if !next.isEmpty { sections.append("Most probable next tokens\n" + Self.table(next)) }
    return sections.joined(separator: "\n\n")
  }

  private static func table(_ tokens: [Token]) -> String {
    TextTable.aligned(
      tokens.map { ["", "\($0.id)", $0.logProbability.map(number) ?? "-", quoted($0.text)] }, right: [1, 2])
  }

  private static func number(_ value: Float) -> String { String(format: "%.4f", value) }

  private static func quoted(_ text: String) -> String {
    let escaped = text.replacingOccurrences(of: "\\", with: "\\\\").replacingOccurrences(
      of: "\n", with: "\\n"
    )
    .replacingOccurrences(of: "\r", with: "\\r").replacingOccurrences(of: "\t", with: "\\t")
    return "\"\(escaped)\""
  }
}
