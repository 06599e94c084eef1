import Datasets
import Evaluation
import Foundation
import LanguageModels
import Prompting
import Testing

/// Predictions agree with the model's plain logits.
struct AnswerPredictorTests {
  private func logProbability(_ tiny: TinyModel, _ prompt: [Int32], _ completion: [Int32]) throws -> Double {
    let logits = try tiny.model.allLogits(prompt + completion)
    return completion.enumerated().reduce(0) { sum, token in
      let row = logits[prompt.count - 1 + token.offset].map(Double.init)
      let top = row.max() ?? 0
      return sum + row[Int(token.element)] - top - log(row.reduce(0) { $0 + exp($1 - top) })
    }
  }

  private func close(_ a: OptionScores?, _ b: [Double]) -> Bool {
    // Float32 sums of up to ten log-probabilities.
    guard let a, a.logProbabilities.count == b.count else { return false }
    return zip(a.logProbabilities, b).allSatisfy { abs($0 - $1) < 1e-4 }
  }

  private static let none = [[String: String]](repeating: [:], count: 24)

  @Test(
    "letters, texts and texts per character, for each answer form",
    arguments: ["letter", "text", "letterText"])
  func scores(form: String) throws {
    let tiny = try TinyModel(answerForm: form)
    let episodes = TinyModel.episodes(24)
    let answers = try tiny.predictor().answers(
      task: "a", episodes: episodes, parentAnswers: Self.none, view: nil)
    #expect(answers.count == episodes.count)
    var disagreements = 0
    for (episode, answer) in zip(episodes, answers) {
      let item = try #require(episode.tasks["a"])
      let choice = try #require(answer.choice)
      let prompt = try tiny.prompts.prompt(task: "a", episode: episode, parentAnswers: [:])
      let letters = try (0..<3).map { try logProbability(tiny, prompt, tiny.prompts.letterTokens($0)) }
      let texts = item.options.enumerated().map {
        form == "letterText" ? "\(PromptRenderer.letter($0)). \($1)" : $1
      }
      let sums = try texts.map {
        try logProbability(tiny, prompt, tiny.prompts.tokenizer.encode($0) + [0])
      }
      #expect(close(choice.letter, letters))
      #expect(close(choice.text, sums))
      #expect(close(choice.textPerCharacter, zip(sums, texts).map { $0 / Double($1.count) }))
      #expect(choice.reply == (form == "letter" ? choice.letter : choice.text))
      let best = choice.reply.best
      #expect(answer.text == item.options[best])
      #expect(abs(choice.reply.probabilities.reduce(0, +) - 1) < 1e-12)
      #expect(answer.probability == choice.reply.probabilities.max())
      if choice.letter?.best != choice.text?.best { disagreements += 1 }
    }
    // Otherwise the test would not distinguish the deciding form.
    #expect(disagreements > 0)
  }

  @Test("many episodes at once are answered as each alone", arguments: ["letter", "letterText"])
  func batching(form: String) throws {
    let tiny = try TinyModel(answerForm: form)
    let predictor = tiny.predictor()
    let view = tiny.view(tiny.adapter(), [0, 1, 5])
    let episodes = TinyModel.episodes(24)
    let together = try predictor.answers(
      task: "a", episodes: episodes, parentAnswers: Self.none, view: view)
    for (episode, answer) in zip(episodes, together) {
      let alone = try predictor.answers(task: "a", episodes: [episode], parentAnswers: [[:]], view: view)
      #expect(alone[0].text == answer.text)
      for way in [\TaskAnswer.Choice.letter, \.text, \.textPerCharacter] {
        #expect(close(alone[0].choice?[keyPath: way], answer.choice?[keyPath: way]?.logProbabilities ?? []))
      }
    }
  }

  @Test("replies alone are the same replies", arguments: ["letter", "text", "letterText"])
  func repliesOnly(form: String) throws {
    let tiny = try TinyModel(answerForm: form)
    let predictor = tiny.predictor()
    let episodes = TinyModel.episodes(24)
    let full = try predictor.answers(task: "a", episodes: episodes, parentAnswers: Self.none, view: nil)
    let brief = try predictor.answers(
      task: "a", episodes: episodes, parentAnswers: Self.none, view: nil, repliesOnly: true)
    #expect(brief.map(\.text) == full.map(\.text))
    for (brief, full) in zip(brief, full) {
      #expect(close(brief.choice?.reply, full.choice?.reply.logProbabilities ?? []))
      #expect(brief.choice?.letter == nil && brief.choice?.text == nil)
    }
  }

  @Test("free text is the greedy continuation, with its probability; items of both kinds keep their order")
  func freeText() throws {
    let tiny = try TinyModel()
    var episodes = TinyModel.episodes(6)
    episodes[2].tasks["f"] = episodes[2].tasks["a"]
    let parents = episodes.map { _ in ["a": "no"] }
    let answers = try tiny.predictor(maximumAnswerTokens: 4)
      .answers(task: "f", episodes: episodes, parentAnswers: parents, view: nil)
    #expect(answers.map { $0.choice != nil } == [false, false, true, false, false, false])
    for (episode, answer) in zip(episodes, answers) where answer.choice == nil {
      let prompt = try tiny.prompts.prompt(task: "f", episode: episode, parentAnswers: ["a": "no"])
      var tokens: [Int32] = []
      while tokens.count < 4, tokens.last != 0 {
        let logits = try #require(try tiny.model.allLogits(prompt + tokens).last)
        tokens.append(Int32(try #require(logits.indices.max { logits[$0] < logits[$1] })))
      }
      let text = tiny.prompts.tokenizer.decode(tokens, skipSpecial: true)
      #expect(answer.text == text.trimmingCharacters(in: .whitespacesAndNewlines))
      #expect(abs(log(answer.probability) - (try logProbability(tiny, prompt, tokens))) < 1e-4)
    }
  }

  @Test("a question whose options do not fit the context names task and episode")
  func tooLong() throws {
    let tiny = try TinyModel()
    var episode = TinyModel.episodes(1)[0]
    episode.inputs["s"] = String(repeating: "x", count: 30)
    let prompt = try tiny.prompts.prompt(task: "a", episode: episode, parentAnswers: [:])
    #expect(prompt.count < tiny.model.contextLength)
    do {
      _ = try tiny.predictor().answers(task: "a", episodes: [episode], parentAnswers: [[:]], view: nil)
      Issue.record("accepted \(prompt.count) tokens and the options")
    } catch PromptError.tooLong(let task, let id, let length, let limit, _) {
      #expect(task == "a" && id == "e0" && length > limit && limit == tiny.model.contextLength)
    }
  }

  @Test("no episodes, no answers")
  func empty() throws {
    let answers = try TinyModel().predictor().answers(
      task: "a", episodes: [], parentAnswers: [], view: nil)
    #expect(answers.isEmpty)
  }
}
