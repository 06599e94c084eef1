import Datasets
import Foundation
import Prompting
import TestSupport
import Testing
import Tokenization

/// What is read and what is learnt are what the chat template writes for a question and its answer.
struct ChatTurnsTests {
  private struct Golden: Decodable {
    struct Case: Decodable {
      let system: String?
      let user, answer: String
      let pair, generation: String?
    }
    let name, source: String
    let cases: [Case]
  }

  private func turns(_ source: String, system: String? = nil) throws -> ChatTurns {
    try ChatTurns(
      ChatTemplate(source: source), specialTokens: ["bos_token": "<s>", "eos_token": "<|im_end|>"],
      system: system)
  }

  private func golden() throws -> [Golden] {
    try JSONDecoder().decode([Golden].self, from: Data(contentsOf: Fixtures.url("tokenizer/turns.json")))
  }

  @Test("prompt, reply and end are what jinja2 renders")
  func rendering() throws {
    let all = try golden()
    #expect(all.count > 20)
    for template in all {
      for example in template.cases {
        let what = "\(template.name), \(example.system ?? "no system"), \(example.user)"
        if template.name == "Mistral v0.3", let system = example.system {
          #expect(throws: ChatTurns.Failure.losesSystem) { try self.turns(template.source, system: system) }
          continue
        }
        let turns = try self.turns(template.source, system: example.system)
        let prompt = try turns.prompt(example.user)
        let text = prompt + turns.reply(example.answer) + turns.tail
        let pair = try #require(example.pair)
        #expect(text.utf8.elementsEqual(pair.utf8), "\(what): \(text.debugDescription)")
        #expect(try turns.writes(example.answer, after: prompt, to: example.user) { _ in false }, "\(what)")
        #expect(!prompt.hasSuffix(" ") || example.generation?.hasSuffix(" ") == true, "\(what)")
      }
    }
  }

  @Test(
    "the end of the prompt and the start of the reply",
    arguments: [
      ("ChatML", "<|im_start|>assistant\n", "A"), ("Qwen3", "assistant\n<think>\n\n</think>\n\n", "A"),
      ("DeepSeek R1", "?<｜Assistant｜>", "A"), ("DeepSeek LLM", "\n\nAssistant:", " A"),
      ("Vicuna", "? ASSISTANT:", " A"), ("Llama 2", "? [/INST]", " A"), ("Mistral v0.3", "?[/INST]", " A"),
      ("OpenChat", "GPT4 Correct Assistant:", " A"),
      ("thought in the generation prompt", ">assistant\n", "A"),
      ("thought cut off", ">assistant\n", "A"), ("empty thought", "<think>\n\n</think>\n\n", "A"),
      ("spaces", ">assistant\n", " A"), ("space in the generation prompt", "Assistant: ", "A"),
      ("no generation prompt", ">assistant\n", "A"),
    ])
  func split(name: String, end: String, reply: String) throws {
    let template = try #require(golden().first { $0.name == name })
    let turns = try self.turns(template.source)
    #expect(try turns.prompt("Q?").hasSuffix(end))
    #expect(turns.reply("A") == reply)
  }

  private static let turn =
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n{{ m['content'] }}<|im_end|>\n{% endfor %}"

  @Test("a template that loses or changes a message is refused by name")
  func losses() throws {
    func failure(_ source: String, system: String? = nil) -> ChatTurns.Failure? {
      do {
        _ = try turns(source, system: system).prompt(
          "What is the colour of the sky, of grass and of snow?\nTell me.")
        return nil
      } catch {
        return error as? ChatTurns.Failure
      }
    }
    func content(_ expression: String) -> String {
      Self.turn.replacingOccurrences(of: "m['content']", with: expression)
    }
    func roles(_ condition: String) -> String {
      Self.turn.replacingOccurrences(of: "in messages", with: "in messages if \(condition)")
    }
    #expect(failure(Self.turn, system: "Be a pirate.") == nil)
    #expect(failure(roles("m.role in ['human', 'assistant']")) == .losesUser(isPartial: false))
    #expect(
      failure(
        roles("m.role == 'assistant'").replacingOccurrences(of: "<|im_start|>{{ m['role'] }}\n", with: ""))
        == .empty)
    #expect(failure(content("m['content'][:30]")) == .losesUser(isPartial: true))
    #expect(failure(content("m['content'].split('\\n')[0]")) == .losesUser(isPartial: true))
    #expect(failure(content("m['content'] | upper")) == .losesUser(isPartial: false))
    #expect(failure(content("m['content'] | tojson")) == .losesUser(isPartial: true))
    #expect(failure(roles("m.role != 'system'")) == nil)
    #expect(failure(roles("m.role != 'system'"), system: "Be a pirate.") == .losesSystem)
    #expect(failure(roles("m.role != 'system'"), system: "") == nil)
    #expect(
      failure(content("m['content'] if m.role != 'system' else m['content'][:5]"), system: "Be a pirate.")
        == .losesSystem)
    #expect(failure(roles("m.role != 'assistant'")) == .losesAnswer)
    #expect(
      failure(content("m['content'] if m.role != 'assistant' else (m['content'] | upper)")) == .changesAnswer)
    #expect(failure(content("m['content'] if m.role != 'assistant' else m['content'][:5]")) == .losesAnswer)
    let picky = "{% if messages[0].role == 'system' %}{{ raise_exception('no') }}{% endif %}" + Self.turn
    #expect(failure(picky, system: "S") == .refusesSystem(.raised(message: "no")))
    #expect(failure(picky) == nil)
    #expect(failure("{{ raise_exception('never') }}", system: "S") == .template(.raised(message: "never")))
    // A template of parts that fails on a text.
    #expect(failure(content("(m['content'] | selectattr('type', 'equalto', 'text') | first).text")) == nil)
  }

  private func completion(_ source: String, _ answer: String) throws -> String {
    let renderer = try SmolLM2Prompts.renderer(template: ChatTemplate(source: source))
    var episode = SmolLM2Prompts.episode
    episode.tasks["predict"] = TaskItem(question: "What does it do?", answer: answer)
    let example = try renderer.example(
      task: "predict", episode: episode, parentAnswers: ["perceive": "the van"])
    return renderer.tokenizer.decode(example.completion, skipSpecial: false)
  }

  @Test("an answer is learnt as the template writes it, and refused if the template changes it")
  func answers() throws {
    let trimmed = Self.turn.replacingOccurrences(of: "m['content']", with: "m['content'] | trim")
    #expect(try completion(Self.turn, " It stops. \n") == " It stops. \n<|im_end|>")
    #expect(try completion(trimmed, " It stops. \n") == "It stops.<|im_end|>")
    #expect(try completion(Self.turn, "") == "<|im_end|>")
    let cut = Self.turn.replacingOccurrences(of: "m['content']", with: "m['content'].split('</think>')[-1]")
    #expect(try completion(cut, "It stops.") == "It stops.<|im_end|>")
    let thoughtful = #expect(throws: PromptError.self) { try completion(cut, "<think>Hm.</think>It stops.") }
    #expect(
      thoughtful?.description
        == "episode 'iov-000007', task 'predict': the chat template does not write the answer "
        + "\"<think>Hm.</think>It stops.\" as it is; change the answer, or use a model whose template does")
    let skipping = Self.turn.replacingOccurrences(of: "in messages", with: "in messages if m.content")
    #expect(throws: PromptError.changesAnswer(answer: "", task: "predict", episode: "iov-000007")) {
      try completion(skipping, "")
    }
    let shout = Self.turn.replacingOccurrences(
      of: "m['content']", with: "m['content'].replace('stops', 'STOPS')")
    #expect(throws: PromptError.self) { try completion(shout, "It stops.") }
    #expect(try completion(shout, "It goes.") == "It goes.<|im_end|>")
  }

  @Test("letters are scored with the space that the template writes before an answer")
  func letters() throws {
    let vicuna = try #require(golden().first { $0.name == "Vicuna" })
    let renderer = try SmolLM2Prompts.renderer(
      ["training.answerForm=letter"], template: ChatTemplate(source: vicuna.source))
    #expect(try renderer.letterTokens(1) == renderer.tokenizer.encode(" B"))
    #expect(renderer.completion("B") == renderer.tokenizer.encode(" B<|im_end|>"))
    // The space is a token of the answer, not of the end.
    #expect(renderer.endOfTurnCount == 1 && renderer.completion("").count == 2)
    // A tokenizer without merges has a token for the space and one for the letter.
    let tokenizer = try Tokenizer(
      BPESpecification(
        tokens: ["<|im_end|>", "A", "Ġ"], merges: [], tokenTypes: [3, 1, 1], preTokenizer: "gpt-2",
        endOfSequence: 0))
    let plain = try SmolLM2Prompts.renderer(
      tokenizer: tokenizer, template: ChatTemplate(source: vicuna.source))
    #expect(try plain.letterTokens(0) == [2, 1])
    #expect(throws: PromptError.letter("B")) { try plain.letterTokens(1) }
  }
}
