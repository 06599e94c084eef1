import Datasets
import Foundation
import Prompting
import TestSupport
import Tokenization
import Workflows

/// SmolLM2's vocabulary and chat template, from the tokenizer fixtures.
enum SmolLM2Prompts {
  private struct VocabularyFile: Decodable {
    let pre: String
    let bos: Int
    let eos: Int
    let control: [Int]
    let tokens: String
    let merges: String
  }
  private struct TemplateFile: Decodable {
    let name: String
    let source: String
  }
  private struct NoTemplate: Error {}

  static func tokenizer(endOfSequence: Int?? = .none) throws -> Tokenizer {
    let file = try JSONDecoder().decode(
      VocabularyFile.self, from: Data(contentsOf: Fixtures.url("tokenizer/smollm2.vocabulary.json")))
    let tokens = file.tokens.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
    var types = [Int](repeating: 1, count: tokens.count)
    for id in file.control { types[id] = 3 }
    return try Tokenizer(
      BPESpecification(
        tokens: tokens, merges: file.merges.split(separator: "\n").map(String.init), tokenTypes: types,
        preTokenizer: file.pre, beginningOfSequence: file.bos, endOfSequence: endOfSequence ?? file.eos))
  }

  static func template(_ name: String = "SmolLM2") throws -> ChatTemplate {
    let files = try JSONDecoder().decode(
      [TemplateFile].self, from: Data(contentsOf: Fixtures.url("tokenizer/templates.json")))
    guard let file = files.first(where: { $0.name == name }) else { throw NoTemplate() }
    return try ChatTemplate(source: file.source)
  }

  /// A workflow like the example's, with its own texts.
  static func workflow(_ overrides: [String] = []) throws -> Workflow {
    let yaml = """
      name: road
      model: smollm2-135m
      data: data
      tasks:
        - {name: perceive, instruction: "Name the hazard, the nearest agent ahead in our own lane.", inputs: [scene]}
        - {name: predict, instruction: Say what it does next., inputs: [motion], parents: [perceive]}
        - name: decide
          instruction: Choose a safe manoeuvre for the hazard, what it does next, the road and the left lane.
          inputs: [conditions]
          parents: [perceive, predict]
        - {name: route, instruction: Decide about the trip., inputs: [request, v2x], parents: [decide]}
      lora: {rank: 16, alpha: 32}
      """
    return try Workflow(yaml: yaml, file: "road.yaml", overrides: overrides)
  }

  static func renderer(
    _ overrides: [String] = [], tokenizer: Tokenizer? = nil, template: ChatTemplate? = nil,
    contextLength: Int = 512, vocabularySize: Int = .max
  ) throws -> PromptRenderer {
    try PromptRenderer(
      workflow: workflow(overrides), tokenizer: tokenizer ?? self.tokenizer(),
      template: template ?? self.template(),
      specialTokens: ["bos_token": "<|im_start|>", "eos_token": "<|im_end|>"], contextLength: contextLength,
      vocabularySize: vocabularySize)
  }

  static let episode = Episode(
    id: "iov-000007",
    inputs: [
      "scene": "A van ahead in our lane, a bus behind.", "motion": "The light is green. The van brakes.",
      "conditions": "The road is wet.", "request": "Hurry up.", "v2x": "Left lane closed.",
    ],
    tasks: [
      "perceive": TaskItem(question: "What is the hazard?", options: ["the van", "the bus"], answer: 0),
      "predict": TaskItem(question: "What does it do?", answer: "It slows down."),
      "decide": TaskItem(
        question: "What do we do?", options: ["brake", "follow it", "overtake"], answer: 1),
      "route": TaskItem(question: "And the trip?", options: ["go on", "turn off"], answer: 0),
    ])
}
