import Checkpoint
import Foundation
import SafeFiles
import StrictJSON
import TestSupport
import Testing

@Suite struct AdapterTests {
  /// Pairs of rank 2 on the given modules of the tiny model, each value different.
  private func modules(_ names: [WeightName], _ configuration: LlamaConfiguration) -> [AdapterModule] {
    names.enumerated().map { index, name in
      let shape = name.shape(in: configuration)
      let base = Float(index * 1000)
      return AdapterModule(
        path: name.huggingFaceModule, rank: 2, inputs: shape[1], outputs: shape[0],
        a: (0..<2 * shape[1]).map { base + Float($0) }, b: (0..<2 * shape[0]).map { -base - Float($0) })
    }
  }

  private func configuration() throws -> LlamaConfiguration {
    try ModelFiles.open(fixture("tiny-llama").path).weights.configuration
  }

  @Test func aPEFTFolderHasTheKeysAndFieldsOfItsConvention() throws {
    let names = (0..<2).flatMap { [WeightName.query(layer: $0), .down(layer: $0)] }
    let pairs = modules(names, try configuration())
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("peft")
      let adapter = PEFTAdapter(
        modules: pairs, rank: 2, alpha: PEFTAdapter.alpha(16, ofRank: 8, forRank: 2),
        baseModel: "org/tiny \"x\"", card: "Trained for a test.", license: "apache-2.0")
      try adapter.write(to: url)
      let files = try FileManager.default.contentsOfDirectory(atPath: url.path).sorted()
      #expect(files == ["README.md", "adapter_config.json", "adapter_model.safetensors"])
      let config = try JSONParser.parse(MappedFile(url.appendingPathComponent("adapter_config.json")))
      #expect(config["peft_type"]?.string == "LORA" && config["task_type"]?.string == "CAUSAL_LM")
      #expect(config["r"]?.integer == 2 && config["lora_alpha"]?.number == 4)
      #expect(config["target_modules"]?.array?.map(\.string) == ["down_proj", "q_proj"])
      #expect(config["base_model_name_or_path"]?.string == "org/tiny \"x\"")
      #expect(config["use_rslora"]?.bool == false && config["use_dora"]?.bool == false)
      #expect(config["inference_mode"]?.bool == true && config["bias"]?.string == "none")
      let keys = Set(config.members?.map(\.key) ?? [])
      let demanded: Set<String> = [
        "peft_type", "base_model_name_or_path", "r", "lora_alpha", "lora_dropout", "target_modules", "bias",
        "task_type", "inference_mode", "use_rslora", "use_dora", "modules_to_save", "rank_pattern",
        "alpha_pattern",
      ]
      #expect(demanded.isSubset(of: keys))
      let weights = try SafetensorsFile(url.appendingPathComponent("adapter_model.safetensors"))
      #expect(weights.tensors.count == 8)
      for pair in pairs {
        let prefix = "base_model.model.\(pair.path)"
        #expect(weights.tensor("\(prefix).lora_A.weight")?.shape == [2, pair.inputs])
        #expect(weights.tensor("\(prefix).lora_B.weight")?.shape == [pair.outputs, 2])
        #expect(try weights.float32("\(prefix).lora_A.weight") == pair.a)
        #expect(try weights.float32("\(prefix).lora_B.weight") == pair.b)
      }
      let card = try String(contentsOf: url.appendingPathComponent("README.md"), encoding: .utf8)
      #expect(
        card.hasPrefix("---\nbase_model: \"org/tiny \\\"x\\\"\"\nlibrary_name: peft\nlicense: apache-2.0\n"))
      #expect(card.contains("| rank | 2 |") && card.contains("Trained for a test."))
      #expect(fileError { try adapter.write(to: url) }?.file == url.path)
    }
  }

  @Test func modulesThatDifferBetweenLayersAreNamedWhole() throws {
    let pairs = modules([.query(layer: 0), .down(layer: 1)], try configuration())
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("peft")
      try PEFTAdapter(
        modules: pairs, rank: 2, alpha: 3.5, isRankStabilized: true, baseModel: "tiny"
      ).write(to: url)
      let config = try JSONParser.parse(MappedFile(url.appendingPathComponent("adapter_config.json")))
      #expect(config["target_modules"]?.array?.map(\.string) == pairs.map(\.path).sorted())
      #expect(config["lora_alpha"]?.number == 3.5 && config["use_rslora"]?.bool == true)
    }
  }

  @Test(arguments: [1...2, 1...1, 0...0, 0...2])
  func someLayersOfEveryModule(layers: ClosedRange<Int>) throws {
    let pairs = modules(
      layers.flatMap { [.query(layer: $0), .down(layer: $0)] }, try configuration())
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("peft")
      try PEFTAdapter(modules: pairs, rank: 2, alpha: 4, baseModel: "tiny").write(to: url)
      let config = try JSONParser.parse(MappedFile(url.appendingPathComponent("adapter_config.json")))
      #expect(config["target_modules"]?.array?.map(\.string) == ["down_proj", "q_proj"])
      let isPart = layers.lowerBound > 0
      #expect(config["layers_to_transform"]?.array?.map(\.integer) == (isPart ? Array(layers) : nil))
      #expect(config["layers_pattern"]?.string == (isPart ? "layers" : nil))
      let read = try PEFTFolder(url)
      #expect(pairs.allSatisfy { read.adapts($0.path) })
      #expect(read.adapts("model.layers.0.mlp.down_proj") == (layers.lowerBound == 0))
      #expect(read.adapts("model.layers.3.mlp.down_proj") == (layers.lowerBound == 0))
      #expect(!read.adapts("model.layers.\(layers.lowerBound).mlp.up_proj"))
    }
  }

  @Test func theBaseModelIsNamedAsTransformersLoadsIt() throws {
    let whole = try PretrainedModel(path: fixture("tiny-llama").path)
    #expect(whole.name == fixture("tiny-llama").path && whole.ggufFile == nil && whole.pinned == nil)
    let packed = try PretrainedModel(path: fixture("tiny-llama.gguf").path)
    #expect(packed.name == fixture("").standardizedFileURL.path && packed.pinned == nil)
    #expect(packed.ggufFile == "tiny-llama.gguf")
    #expect(fileError { _ = try PretrainedModel(path: fixture("none").path) }?.kind == .missing)

    let pairs = modules([.query(layer: 0)], try configuration())
    for (base, call) in [
      (whole, "from_pretrained(\"\(whole.name)\")"),
      (packed, "from_pretrained(\"\(packed.name)\", gguf_file=\"tiny-llama.gguf\")"),
    ] {
      try Fixtures.withTemporaryDirectory { folder in
        let url = folder.appendingPathComponent("peft")
        try PEFTAdapter(
          modules: pairs, rank: 2, alpha: 4, baseModel: base.name, ggufFile: base.ggufFile
        ).write(to: url)
        let config = try JSONParser.parse(MappedFile(url.appendingPathComponent("adapter_config.json")))
        #expect(config["base_model_name_or_path"]?.string == base.name)
        let card = try String(contentsOf: url.appendingPathComponent("README.md"), encoding: .utf8)
        #expect(card.contains(call), "\(card)")
      }
    }
  }

  @Test(.enabled(if: Fixtures.baseModel != nil, "the base model is not there: run make model"))
  func thePinnedModelIsNamedByItsIDWhereverItsFileLies() throws {
    let model = try #require(Fixtures.baseModel)
    try Fixtures.withTemporaryDirectory { folder in
      let link = folder.appendingPathComponent("renamed.gguf")
      try FileManager.default.createSymbolicLink(at: link, withDestinationURL: model)
      for path in [model.path, model.deletingLastPathComponent().path, link.path] {
        let base = try PretrainedModel(path: path)
        #expect(base.name == "HuggingFaceTB/SmolLM2-135M-Instruct" && base.ggufFile == nil)
        #expect(base.pinned == .smolLM2)
      }
    }
  }

  @Test func theScaleOfASliceIsThatOfTheWhole() {
    for part in 1...16 {
      let plain = PEFTAdapter.alpha(32, ofRank: 16, forRank: part) / Double(part)
      #expect(abs(plain - 2) < 1e-12)
      let stable =
        PEFTAdapter.alpha(32, ofRank: 16, forRank: part, isRankStabilized: true) / Double(part).squareRoot()
      #expect(abs(stable - 8) < 1e-12)
    }
  }

  @Test(arguments: [GGUFAdapter.Precision.float32, .float16])
  func aGGUFAdapterCorrectsTheWeightsOfTheGGUFModel(_ precision: GGUFAdapter.Precision) throws {
    let configuration = try configuration()
    let names = WeightName.weights(ofLayer: 1).filter { $0.shape(in: configuration).count == 2 }
    let pairs = modules(names, configuration)
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("adapter.gguf")
      try GGUFAdapter(modules: pairs, alpha: 4, name: "test", configuration: configuration).write(
        to: url, precision: precision)
      let file = try GGUFFile(url)
      #expect(try file.string("general.type") == "adapter")
      #expect(try file.string("general.architecture") == "llama")
      #expect(try file.string("adapter.type") == "lora")
      #expect(file.metadata["adapter.lora.alpha"] == .float32(4))
      #expect(file.tensors.count == 14)
      for (name, pair) in zip(names, pairs) {
        let a = try #require(file.tensor("\(name.ggufTensor).lora_a"))
        let b = try #require(file.tensor("\(name.ggufTensor).lora_b"))
        #expect(a.shape == [2, pair.inputs] && b.shape == [pair.outputs, 2])
        func stored(_ values: [Float]) -> [Float] {
          precision == .float32
            ? values : values.map { FloatConversion.float32(half: FloatConversion.half($0)) }
        }
        #expect(try values(file, a.name) == stored(pair.a))
        // B, read back through the base file's row order, must be unchanged.
        let rows = try values(file, b.name)
        var found = rows
        switch name {
        case .query, .key:
          for row in 0..<pair.outputs {
            let (head, within) = (row / 8, row % 8)
            let source = head * 8 + (within < 4 ? within * 2 : (within - 4) * 2 + 1)
            found.replaceSubrange(row * 2..<row * 2 + 2, with: rows[source * 2..<source * 2 + 2])
          }
          #expect(rows != stored(pair.b), "the order must differ")
        default: break
        }
        #expect(found == stored(pair.b))
      }
    }
  }

  @Test func modulesOfAnotherModelAreRefused() throws {
    let configuration = try configuration()
    let wrong = [
      AdapterModule(path: "model.layers.0.self_attn.x_proj", rank: 1, inputs: 1, outputs: 1, a: [1], b: [1]),
      AdapterModule(path: "model.layers.0.self_attn.q_proj", rank: 1, inputs: 1, outputs: 1, a: [1], b: [1]),
    ]
    try Fixtures.withTemporaryDirectory { folder in
      for module in wrong {
        let adapter = GGUFAdapter(modules: [module], alpha: 1, name: "x", configuration: configuration)
        let error = fileError { try adapter.write(to: folder.appendingPathComponent("a.gguf")) }
        #expect(error?.field == module.path)
      }
      let left = try FileManager.default.contentsOfDirectory(atPath: folder.path)
      #expect(left == [])
    }
  }
}
