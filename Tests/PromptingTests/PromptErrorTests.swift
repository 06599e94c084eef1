import Datasets
import Prompting
import Testing
import Tokenization

/// Each refusal names the episode, the task and what to do.
struct PromptErrorTests {
  private func refusal(
    _ renderer: PromptRenderer, _ task: String, _ episode: Episode, _ parents: [String: String] = [:]
  ) -> String {
    do {
      _ = try renderer.example(task: task, episode: episode, parentAnswers: parents)
      return "accepted"
    } catch {
      return "\(error)"
    }
  }

  @Test("a missing input, parent's answer or task")
  func missing() throws {
    let renderer = try SmolLM2Prompts.renderer()
    var episode = SmolLM2Prompts.episode
    #expect(
      refusal(renderer, "predict", episode)
        == "episode 'iov-000007', task 'predict': an answer of 'perceive' is missing; add it to the episode "
        + "or correct the workflow")
    episode.inputs["scene"] = nil
    #expect(refusal(renderer, "perceive", episode).contains("'perceive': input 'scene' is missing"))
    episode.tasks["route"] = nil
    #expect(refusal(renderer, "route", episode).contains("'route': task 'route' is missing"))
    #expect(refusal(renderer, "steer", episode).contains("task 'steer' is missing"))
  }

  @Test("prompt and completion may fill the context and not one token more")
  func context() throws {
    let episode = SmolLM2Prompts.episode
    let example = try SmolLM2Prompts.renderer()
      .example(task: "perceive", episode: episode, parentAnswers: [:])
    let length = example.prompt.count + example.completion.count
    #expect(refusal(try SmolLM2Prompts.renderer(contextLength: length), "perceive", episode) == "accepted")
    #expect(
      refusal(try SmolLM2Prompts.renderer(contextLength: length - 1), "perceive", episode)
        == "episode 'iov-000007', task 'perceive': \(length) tokens exceed the context of \(length - 1); "
        + "shorten its inputs or options, or use a model with a longer context")
    let renderer = try SmolLM2Prompts.renderer(contextLength: 20)
    #expect(
      throws: PromptError.tooLong(
        task: "perceive", episode: "iov-000007", length: example.prompt.count, limit: 20)
    ) { try renderer.prompt(task: "perceive", episode: episode, parentAnswers: [:]) }
  }

  @Test("tokens that the model has no embedding for, in the prompt, a reply and the end of a turn")
  func noEmbedding() throws {
    let episode = SmolLM2Prompts.episode
    let all = try SmolLM2Prompts.renderer()
    let example = try all.example(task: "perceive", episode: episode, parentAnswers: [:])
    let most = try #require((example.prompt + example.completion).max())
    func outcome(_ size: Int32) throws -> String {
      refusal(try SmolLM2Prompts.renderer(vocabularySize: Int(size)), "perceive", episode)
    }
    #expect(try outcome(most + 1) == "accepted")
    #expect(
      try outcome(most).hasPrefix(
        "episode 'iov-000007', task 'perceive': the tokenizer has token \(most) \""))
    #expect(try outcome(most).contains("but the model has embeddings for \(most) tokens only; "))
    let error = #expect(throws: PromptError.self) {
      try SmolLM2Prompts.renderer(vocabularySize: Int(all.stopToken))
    }
    #expect(error?.description.hasPrefix("the end of a turn: the tokenizer has token") == true)
  }

  @Test("a chat template that writes nothing for a user's message")
  func empty() throws {
    let silent = try ChatTemplate(
      source: "{% for m in messages if m.role == 'assistant' %}{{ m.content }}<|im_end|>{% endfor %}")
    let error = #expect(throws: PromptError.self) { try SmolLM2Prompts.renderer(template: silent) }
    #expect(
      error?.description
        == "the model's chat template writes nothing for a user's message; use an instruction-tuned model")
  }

  @Test("an episode that was read from a file is named by file and line first")
  func origin() throws {
    var episode = SmolLM2Prompts.episode
    episode.origin = Episode.Origin(path: "data/train.jsonl", line: 17)
    let place = "data/train.jsonl:17: episode 'iov-000007', task 'perceive': "
    let long = refusal(try SmolLM2Prompts.renderer(contextLength: 20), "perceive", episode)
    #expect(long.hasPrefix(place) && long.contains("tokens exceed the context of 20; shorten"))
    let renderer = try SmolLM2Prompts.renderer()
    let example = try renderer.example(task: "perceive", episode: episode, parentAnswers: [:])
    let length = example.prompt.count + example.completion.count
    #expect(
      refusal(try SmolLM2Prompts.renderer(contextLength: length - 1), "perceive", episode)
        .hasPrefix("\(place)\(length) tokens"))
    episode.tasks["perceive"] = TaskItem(
      question: "Which?", options: (0..<27).map { "number \($0)" }, answer: 0)
    #expect(refusal(renderer, "perceive", episode).hasPrefix("\(place)27 options"))
    episode.inputs["scene"] = nil
    #expect(
      refusal(renderer, "perceive", episode) == "\(place)input 'scene' is missing; add it to the "
        + "episode or correct the workflow")
  }

  @Test("more options than letters")
  func options() throws {
    var episode = SmolLM2Prompts.episode
    func item(_ count: Int) -> TaskItem {
      TaskItem(question: "Which?", options: (0..<count).map { "number \($0)" }, answer: 0)
    }
    episode.tasks["perceive"] = item(26)
    #expect(refusal(try SmolLM2Prompts.renderer(), "perceive", episode) == "accepted")
    episode.tasks["perceive"] = item(27)
    #expect(
      refusal(try SmolLM2Prompts.renderer(), "perceive", episode)
        == "episode 'iov-000007', task 'perceive': 27 options are more than there are letters; give at most 26"
    )
  }

  @Test("a template that refuses system messages, and one that refuses everything")
  func template() throws {
    let picky = try ChatTemplate(
      source: """
        {% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}\
        {% for m in messages %}{{ m.content }}<|im_end|>{% endfor %}
        """)
    #expect(
      refusal(try SmolLM2Prompts.renderer(template: picky), "perceive", SmolLM2Prompts.episode) == "accepted")
    let error = #expect(throws: PromptError.self) {
      try SmolLM2Prompts.renderer(["system=Be brief."], template: picky)
    }
    #expect(
      error?.description
        == "the chat template rejects this conversation: no system role; the template cannot render a "
        + "system prompt: leave 'system' out of the workflow")
    let refusing = try ChatTemplate(source: "{{ raise_exception('never') }}")
    #expect(
      throws: PromptError.templateFails(
        reason: "the chat template rejects this conversation: never")
    ) { try SmolLM2Prompts.renderer(template: refusing) }
  }

  @Test("a tokenizer without a token for a letter")
  func letter() throws {
    let tokenizer = try Tokenizer(
      BPESpecification(
        tokens: ["<|im_end|>", "A", "b"], merges: [], tokenTypes: [3, 1, 1], preTokenizer: "gpt-2",
        endOfSequence: 0))
    let renderer = try SmolLM2Prompts.renderer(tokenizer: tokenizer)
    #expect(try renderer.letterTokens(0) == [1])
    #expect(throws: PromptError.letter("B")) { try renderer.letterTokens(1) }
  }
}
