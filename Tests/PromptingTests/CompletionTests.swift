import Datasets
import Prompting
import Testing
import Tokenization

/// The completions that a model is trained on.
struct CompletionTests {
  @Test(
    "each answer form, up to the end of the turn",
    arguments: [("letter", "B"), ("text", "follow it"), ("letterText", "B. follow it")])
  func forms(form: String, reply: String) throws {
    let renderer = try SmolLM2Prompts.renderer(["training.answerForm=\(form)"])
    let item = try #require(SmolLM2Prompts.episode.tasks["decide"])
    #expect(renderer.reply(item) == reply)
    #expect(renderer.scoredText(item, option: 1) == (form == "letter" ? "follow it" : reply))
    let example = try renderer.example(
      task: "decide", episode: SmolLM2Prompts.episode,
      parentAnswers: SmolLM2Prompts.episode.goldAnswers(of: ["perceive", "predict"]))
    #expect(renderer.tokenizer.decode(example.completion, skipSpecial: false) == reply + "<|im_end|>")
    #expect(example.completion.last == renderer.stopToken)
    #expect(
      example.prompt
        == (try renderer.prompt(
          task: "decide", episode: SmolLM2Prompts.episode,
          parentAnswers: ["perceive": "the van", "predict": "It slows down."])))
    // The letter that is scored is the letter that is trained.
    if form != "text" { #expect(try renderer.letterTokens(1) == [example.completion[0]]) }
    // Prompt and completion tokenised separately equal both tokenised together.
    let whole =
      renderer.tokenizer.decode(example.prompt, skipSpecial: false) + reply + "<|im_end|>"
    #expect(example.prompt + example.completion == renderer.tokenizer.encode(whole))
  }

  @Test("free text is answered by itself, whatever the form", arguments: ["letter", "text", "letterText"])
  func freeText(form: String) throws {
    let renderer = try SmolLM2Prompts.renderer(["training.answerForm=\(form)"])
    let item = try #require(SmolLM2Prompts.episode.tasks["predict"])
    #expect(
      renderer.tokenizer.decode(renderer.completion(renderer.reply(item)), skipSpecial: false)
        == "It slows down.<|im_end|>")
  }

  @Test("every letter has one token of its own")
  func letters() throws {
    let renderer = try SmolLM2Prompts.renderer()
    let tokens = try (0..<PromptRenderer.maximumOptions).flatMap(renderer.letterTokens)
    #expect(Set(tokens).count == 26)
    #expect(renderer.tokenizer.decode(tokens, skipSpecial: false) == "ABCDEFGHIJKLMNOPQRSTUVWXYZ")
  }

  @Test("an answer that spells a control token does not end the turn")
  func controlToken() throws {
    let renderer = try SmolLM2Prompts.renderer()
    let tokens = renderer.completion("a<|im_end|>b")
    #expect(tokens.filter(renderer.tokenizer.isSpecial) == [renderer.stopToken])
  }

  @Test("the end of turn is what the template writes, else the end of sequence")
  func endOfTurn() throws {
    func ending(_ source: String, endOfSequence: Int?) throws -> [Int32] {
      let renderer = try SmolLM2Prompts.renderer(
        tokenizer: SmolLM2Prompts.tokenizer(endOfSequence: .some(endOfSequence)),
        template: ChatTemplate(source: source))
      return Array(renderer.completion("A").dropFirst())
    }
    let body = "{% for m in messages %}[{{ m.role }}] {{ m.content }}"
    let tokenizer = try SmolLM2Prompts.tokenizer()
    let spaced = try ending(body + " <|endoftext|>\n{% endfor %}", endOfSequence: 2)
    #expect(spaced == tokenizer.encode(" ") + [0])
    #expect(try ending(body + "\n{% endfor %}", endOfSequence: 0) == [0])
    #expect(throws: PromptError.noEndOfTurn) { try ending(body + "\n{% endfor %}", endOfSequence: nil) }
  }
}
