import Checkpoint
import Foundation
import LanguageModels
import Tensor
import TestSupport
import Testing

/// Compares the real model with the transformers library (see the manifest next to the fixtures).
struct SmolLM2Tests {
  private struct Prompt: Decodable {
    let name: String
    let ids: [Int32]
  }
  private struct Golden: Decodable {
    struct Entry: Decodable {
      let name: String
      let argmax: Int
      let margin: Float
      let topIds: [Int]
      let topLogits: [Float]
      let sampledLogits: [Float]
    }
    let sampledIds: [Int]
    let prompts: [Entry]
  }
  private struct Score: Decodable {
    let promptIds: [Int32]
    let completionIds: [Int32]
    let logProbabilities: [Float]
  }

  private static func decode<T: Decodable>(_ name: String, as type: T.Type) throws -> T {
    try JSONDecoder().decode(T.self, from: Data(contentsOf: Fixtures.url("smollm2/\(name)")))
  }

  private static func model(_ model: URL, _ type: ElementType) throws -> LlamaModel {
    try LlamaModel(
      ModelFiles.open(model.path).weights, device: CPUDevice(computeType: type), contextLength: 512,
      use: .forward)
  }

  @Test(
    "20 prompts in float32: logits within 2e-3 and the same argmax",
    .enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func float32() throws {
    let model = try Self.model(#require(Fixtures.baseModel), .float32)
    let prompts = try Self.decode("prompts.json", as: [Prompt].self)
    let golden = try Self.decode("logits.json", as: Golden.self)
    #expect(prompts.count == 20)
    for (prompt, entry) in zip(prompts, golden.prompts) {
      let logits = try #require(try model.allLogits(prompt.ids).last)
      #expect(logits.indices.max { logits[$0] < logits[$1] } == entry.argmax, "\(entry.name)")
      let expected =
        zip(entry.topIds, entry.topLogits).map { ($0, $1) }
        + zip(golden.sampledIds, entry.sampledLogits).map { ($0, $1) }
      let difference = expected.map { abs(logits[$0.0] - $0.1) }.max() ?? .infinity
      #expect(difference < 2e-3, "\(entry.name): \(difference)")
    }
  }

  @Test(
    "20 prompts in bfloat16: the same argmax wherever float32 is sure of it",
    .enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func bfloat16() throws {
    let model = try Self.model(#require(Fixtures.baseModel), .bfloat16)
    let prompts = try Self.decode("prompts.json", as: [Prompt].self)
    let golden = try Self.decode("logits.json", as: Golden.self)
    for (prompt, entry) in zip(prompts, golden.prompts) where entry.margin > 0.5 {
      let logits = try #require(try model.allLogits(prompt.ids).last)
      #expect(logits.indices.max { logits[$0] < logits[$1] } == entry.argmax, "\(entry.name)")
    }
  }

  @Test(
    "log-probabilities of completions, several a pass",
    .enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func scores() throws {
    let model = try Self.model(#require(Fixtures.baseModel), .float32)
    let golden = try Self.decode("scores.json", as: [Score].self)
    let requests = golden.map { ScoreRequest(prompt: $0.promptIds, continuations: [$0.completionIds]) }
    let scores = try Scorer(model).score(requests, adapter: nil)
    for (score, entry) in zip(scores, golden) {
      for (ours, theirs) in zip(score[0], entry.logProbabilities) { #expect(abs(ours - theirs) < 2e-3) }
    }
  }
}
