import Datasets
import Evaluation
import Foundation
import LanguageModels
import Prompting
import Testing
import Tokenization
import Workflows

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

  @Test("parents' answers that make a prompt too long are shortened, and only they")
  func fitted() throws {
    let tiny = try TinyModel()
    let context = tiny.model.contextLength
    let episodes = TinyModel.episodes(3)
    let long = String(repeating: "yz", count: context)
    let parents = [["a": "no"], ["a": long], ["a": ""]]
    for task in ["b", "f"] {
      let answers = try tiny.predictor().answers(
        task: task, episodes: episodes, parentAnswers: parents, view: nil)
      #expect(answers.map(\.isPromptCut) == [false, true, false], "\(task)")
      // The others are as without the long one.
      let alone = try tiny.predictor().answers(
        task: task, episodes: [episodes[0]], parentAnswers: [parents[0]], view: nil)
      #expect(alone[0].text == answers[0].text)
    }
    // The longest answer is shortened first, at its end, and by no more than necessary.
    let prompt = try tiny.prompts.fittedPrompt(
      task: "c", episode: episodes[0], parentAnswers: ["a": long, "b": "hm"], needed: 4, wanted: 4)
    #expect(prompt.isCut && prompt.tokens.count == context - 4)
    let text = tiny.prompts.tokenizer.decode(prompt.tokens, skipSpecial: false)
    #expect(text.contains("a: yzyz") && text.contains("b: hm\n"))
    // Both are shortened if one is not enough.
    let both = try tiny.prompts.fittedPrompt(
      task: "c", episode: episodes[0], parentAnswers: ["a": long, "b": long], needed: 4, wanted: 12)
    #expect(both.isCut && both.tokens.count <= context - 12)
  }

  @Test("parents' answers keep half of the room if there is not as much as a generated answer may have")
  func fittedWithoutRoom() throws {
    let tiny = try TinyModel()
    let context = tiny.model.contextLength
    var episode = TinyModel.episodes(1)[0]
    // A token for each character, so that the parent's answer alone makes the prompt too long.
    episode.inputs["s"] = String(repeating: "x", count: context / 2)
    func prompt(_ answer: String) throws -> [Int32] {
      try tiny.prompts.prompt(task: "f", episode: episode, parentAnswers: ["a": answer])
    }
    let least = try prompt("").count
    let answer = String(repeating: "z", count: context - least)
    #expect(throws: PromptError.self) { try prompt(answer) }
    for (wanted, length) in [(6, context - 6), (context, (least + context) / 2)] {
      let fitted = try tiny.prompts.fittedPrompt(
        task: "f", episode: episode, parentAnswers: ["a": answer], needed: 1, wanted: wanted)
      #expect(fitted.isCut && fitted.tokens.count == length)
      #expect(fitted.tokens == (try prompt(String(repeating: "z", count: length - least))))
    }
    // Both the prompt and the generated answer have room.
    let answers = try tiny.predictor(maximumAnswerTokens: context).answers(
      task: "f", episodes: [episode], parentAnswers: [["a": answer]], view: nil)
    #expect(answers.map(\.isPromptCut) == [true] && (least + context) / 2 - least > 4)
  }

  @Test("the tokens of a gold answer include the space that the template writes before it")
  func longAnswersAfterASpace() throws {
    let tiny = try TinyModel()
    var episodes = TinyModel.episodes(2)
    for (index, text) in ["yyy", "y"].enumerated() {
      episodes[index].tasks["f"] = TaskItem(question: "?", answer: text)
    }
    let spaced = try PromptRenderer(
      workflow: tiny.workflow.applying(overrides: ["tasks.f.maxTokens=3"]), tokenizer: tiny.prompts.tokenizer,
      template: ChatTemplate(
        source: "{% for m in messages %}{{ '> ' if m.role == 'assistant' }}{{ m.content }}<e>{% endfor %}"
          + "{% if add_generation_prompt %}>{% endif %}"), specialTokens: [:],
      contextLength: tiny.model.contextLength, vocabularySize: tiny.model.configuration.vocabularySize)
    let result = try PromptCheck(spaced).check(episodes, in: "d", replies: .gold)
    #expect(result.lengths["f"]?.map(\.answer) == [4, 2])
    #expect(result.longAnswers.first?.text.hasSuffix("; set tasks.f.maxTokens to 4") == true)
  }

  @Test("an episode that is too long without its parents' answers is refused with its own length")
  func tooLongAnyway() throws {
    let tiny = try TinyModel()
    var episode = TinyModel.episodes(1)[0]
    episode.inputs["s"] = String(repeating: "x", count: 2 * tiny.model.contextLength)
    #expect {
      try tiny.predictor().answers(
        task: "f", episodes: [episode], parentAnswers: [["a": "no"]], view: nil)
    } throws: { error in
      guard case .tooLong(_, _, let length, let limit, _)? = error as? PromptError else { return false }
      return length > 2 * limit && limit == tiny.model.contextLength
    }
  }

  @Test("an answer is cut if it has not ended after its tokens, not if it ends just there")
  func cutAnswers() throws {
    let tiny = try TinyModel()
    let episodes = TinyModel.episodes(8)
    let parents = episodes.map { _ in ["a": "no"] }
    func answers(_ tokens: Int) throws -> [TaskAnswer] {
      try tiny.predictor(maximumAnswerTokens: tokens).answers(
        task: "f", episodes: episodes, parentAnswers: parents, view: nil)
    }
    let long = try answers(12)
    for (episode, answer) in zip(episodes, long) where !answer.isCut {
      let tokens = tiny.prompts.tokenizer.encode(answer.text).count
      guard tokens > 1, answer.text == answer.text.trimmingCharacters(in: .whitespaces) else { continue }
      let exact = try tiny.predictor(maximumAnswerTokens: tokens).answers(
        task: "f", episodes: [episode], parentAnswers: [["a": "no"]], view: nil)[0]
      #expect(exact.text == answer.text && !exact.isCut)
    }
    #expect(try answers(1).contains(where: \.isCut))
    let scores = Scores(try answers(1), task: "f", episodes: episodes)
    #expect(scores.cutAnswers == (try answers(1)).count(where: \.isCut))
  }

  @Test("scores that are not numbers end the work with the episode's name", arguments: ["a", "f"])
  func notFinite(task: String) throws {
    let tiny = try TinyModel()
    var adapter = tiny.adapter()
    for module in adapter.pairs.indices { adapter.pairs[module].b[0] = .nan }
    let episodes = TinyModel.episodes(2)
    #expect {
      try tiny.predictor().answers(
        task: task, episodes: episodes, parentAnswers: episodes.map { _ in ["a": "no"] },
        view: tiny.view(adapter, [0, 1]))
    } throws: {
      "\($0)".hasPrefix("episode 'e0', task '\(task)': the model's scores are not finite numbers")
    }
  }

  @Test("all episodes are rendered before the first is answered, and those that do not fit are named")
  func checkedFirst() throws {
    let tiny = try TinyModel()
    var episodes = TinyModel.episodes(50)
    for index in 10..<40 {
      episodes[index].inputs["s"] = String(repeating: "x", count: tiny.model.contextLength)
      episodes[index].origin = Episode.Origin(path: "test.jsonl", line: index + 1)
    }
    let evaluator = WorkflowEvaluator(
      workflow: tiny.workflow, predictor: tiny.predictor(), view: { _ in nil })
    var asked = 0
    do {
      _ = try evaluator.evaluate(episodes, onTask: { _, _, _, _ in asked += 1 })
      Issue.record("episodes that do not fit were evaluated")
    } catch let error as PromptMistakes {
      #expect(asked == 0 && error.count == 30 && error.mistakes.count == PromptMistakes.limit)
      let lines = error.description.split(separator: "\n")
      #expect(lines.first?.hasPrefix("test.jsonl:11: episode 'e10', task 'a': ") == true)
      #expect(
        lines.last == "test.jsonl: 30 of 50 episodes cannot be shown to the model; correct or remove them")
    }
    // A single one is named alone.
    #expect(throws: PromptError.self) { try evaluator.evaluate(Array(episodes[..<11])) }
  }

  @Test("gold answers that are longer than generated ones may be are counted")
  func longAnswers() throws {
    let tiny = try TinyModel()
    let limit = Workflow.TaskDefinition.defaultMaxTokens
    var episodes = TinyModel.episodes(5)
    for (index, length) in [3, 10, 1, 2, 4].enumerated() {
      episodes[index].tasks["f"] = TaskItem(question: "?", answer: String(repeating: "y", count: length))
    }
    let none = try PromptCheck(tiny.prompts).check(episodes, in: "d", replies: .all)
    #expect(none.longAnswers.isEmpty && limit == 64)
    #expect(none.lengths["f"]?.map(\.answer) == [3, 10, 1, 2, 4])
    let lengths = try #require(none.lengths["b"])
    for (episode, length) in zip(episodes, lengths) {
      let example = try tiny.prompts.example(
        task: "b", episode: episode, parentAnswers: episode.goldAnswers(of: ["a"]))
      #expect(
        Int(length.sequence) == example.prompt.count + example.completion.count - 1 && length.answer == 0)
    }
    let narrow = try PromptRenderer(
      workflow: tiny.workflow.applying(overrides: ["tasks.f.maxTokens=2"]), tokenizer: tiny.prompts.tokenizer,
      template: ChatTemplate(source: "{% for m in messages %}{{ m.content }}<e>{% endfor %}"),
      specialTokens: [:], contextLength: tiny.model.contextLength,
      vocabularySize: tiny.model.configuration.vocabularySize)
    let found = try PromptCheck(narrow).check(episodes, in: "d", replies: .gold).longAnswers
    let one = try #require(found.first)
    #expect(found.count == 1 && one.task == "f" && one.longest == 10 && one.limit == 2)
    #expect(one.count == 3 && one.of == 5)
    #expect(found.first?.text.hasSuffix("; set tasks.f.maxTokens to 10") == true)
    let predictor = AnswerPredictor(tiny.model, prompts: narrow)
    #expect(predictor.answerTokens(of: "f") == 2 && tiny.predictor().answerTokens(of: "f") == 6)
  }

  @Test("no episodes, no answers")
  func empty() throws {
    let answers = try TinyModel().predictor().answers(
      task: "a", episodes: [], parentAnswers: [], view: nil)
    #expect(answers.isEmpty)
  }
}
