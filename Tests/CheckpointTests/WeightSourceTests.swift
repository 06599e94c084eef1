import Checkpoint
import Foundation
import TestSupport
import Testing

/// Every weight of a source, by name.
private func weights(of source: any WeightSource) throws -> [WeightName: [Float]] {
  let names =
    WeightName.outerWeights(of: source.configuration)
    + (0..<source.configuration.layerCount).flatMap(WeightName.weights(ofLayer:))
  return try Dictionary(uniqueKeysWithValues: names.map { ($0, try source.float32($0)) })
}

@Suite struct WeightSourceTests {
  let gguf: any WeightSource
  let folder: any WeightSource

  init() throws {
    gguf = try ModelFiles.open(fixture("tiny-llama.gguf").path).weights
    folder = try ModelFiles.open(fixture("tiny-llama").path).weights
  }

  @Test func bothFormatsGiveTheSameModel() throws {
    #expect(gguf.configuration == folder.configuration)
    #expect(
      gguf.configuration
        == LlamaConfiguration(
          vocabularySize: 16, hiddenSize: 12, intermediateSize: 20, layerCount: 2, headCount: 4,
          keyValueHeadCount: 2, headDimension: 8, rmsNormEpsilon: 1e-5, ropeTheta: 5000, maximumPositions: 64,
          tiedEmbeddings: false))
    let left = try weights(of: gguf)
    #expect(try left == weights(of: folder))
    #expect(left.count == 21)
    let data = try JSONEncoder().encode(gguf.configuration)
    #expect(try JSONDecoder().decode(LlamaConfiguration.self, from: data) == gguf.configuration)
  }

  @Test func forgottenPagesAreReadAgain() throws {
    for source in [gguf, folder] {
      let before = try weights(of: source)
      source.forgetPages()
      #expect(try weights(of: source) == before)
    }
  }

  @Test func everyRowRangeOfPermutedWeightsIsRight() throws {
    for name in [WeightName.query(layer: 1), .key(layer: 0), .value(layer: 1)] {
      let whole = try folder.float32(name)
      let rows = try folder.shape(of: name)[0]
      for first in 0..<rows {
        for end in first...rows {
          var part = [Float](repeating: 0, count: (end - first) * 12)
          try gguf.readFloat32(name, rows: first..<end, into: &part)
          #expect(part == Array(whole[first * 12..<end * 12]))
          for source in [gguf, folder] {
            var brain = [UInt16](repeating: 0, count: part.count)
            try source.readBFloat16(name, rows: first..<end, into: &brain)
            #expect(brain == part.map { FloatConversion.brain($0) })
          }
        }
      }
    }
  }

  @Test func tokenizersAndTemplatesAreFound() throws {
    let file = try ModelFiles.open(fixture("tiny-llama.gguf").path)
    guard case .gguf(let tokenizer)? = file.tokenizer else {
      Issue.record("a tokenizer expected")
      return
    }
    #expect(tokenizer.tokens.prefix(3) == ["a", "b", "c"])
    #expect(tokenizer.merges == ["a b", "c d"])
    #expect(tokenizer.tokenTypes.suffix(3) == [1, 3, 3])
    #expect(tokenizer.preTokenizer == "smollm" && tokenizer.model == "gpt2" && tokenizer.addBOS == true)
    #expect(tokenizer.bos == 14 && tokenizer.eos == 15 && tokenizer.unknown == nil)
    #expect(file.bosToken == "<s>" && file.eosToken == "</s>" && file.chatTemplate == "from gguf")
    let folder = try ModelFiles.open(fixture("tiny-llama").path)
    #expect(folder.bosToken == "<s>" && folder.eosToken == "</s>")
    #expect(folder.chatTemplate == "from settings")
    #expect(folder.tokenizer == .json(Data("{\"version\": \"1.0\"}\n".utf8)))
    for model in [file, folder] {
      #expect(model.description.contains("query heads        4 of 8"))
      #expect(model.description.contains("[32, 12]"))
      #expect(model.description.contains("21 tensors"))
    }
    #expect(try FileInspection.describe(fixture("python.safetensors").path).contains("bf16"))
    #expect(try FileInspection.describe(fixture("metadata.gguf").path).contains("a.strings"))
  }

  @Test func inspectionSaysWhyAFileIsNoModel() throws {
    let other = try FileInspection.describe(fixture("metadata.gguf").path)
    #expect(
      other.hasPrefix(
        "Cannot be run as a model: general.architecture: architecture test is not supported, only llama; "
          + "use a "),
      "\(other.prefix(200))")
    #expect(try !FileInspection.describe(fixture("tiny-llama.gguf").path).contains("Cannot be run"))
    // A type without a known name.
    try Fixtures.withTemporaryDirectory { folder in
      var bytes = try Data(contentsOf: fixture("tiny-llama.gguf"))
      let tensor = try #require(try GGUFFile(fixture("tiny-llama.gguf")).tensor("output_norm.weight"))
      let name = try #require(bytes.range(of: Data("output_norm.weight".utf8)))
      let type = name.upperBound + 4 + 8 * tensor.shape.count
      bytes.replaceSubrange(type..<type + 4, with: [99, 0, 0, 0])
      let file = folder.appendingPathComponent("unknown.gguf")
      try bytes.write(to: file)
      let text = try FileInspection.describe(file.path)
      #expect(
        text.hasPrefix(
          "Cannot be run as a model: output_norm.weight: quantisation type 99 is not supported; use a file "),
        "\(text.prefix(200))")
      #expect(text.contains("type 99") && text.contains("Totals"))
    }
  }

  /// Changes the fixture's folder and opens it.
  private func open(
    config: [String: Any?] = [:], tensors: (inout [SafetensorsWriter.Tensor]) -> Void = { _ in },
    files: (URL) throws -> Void = { _ in }
  ) throws -> ModelFiles {
    try Fixtures.withTemporaryDirectory { folder in
      let text = try Data(contentsOf: fixture("tiny-llama/config.json"))
      var json = try #require(JSONSerialization.jsonObject(with: text) as? [String: Any])
      for (key, value) in config { json[key] = value }
      try JSONSerialization.data(withJSONObject: json).write(
        to: folder.appendingPathComponent("config.json"))
      let source = try SafetensorsFile(fixture("tiny-llama/model.safetensors"))
      var list = try source.tensors.map {
        SafetensorsWriter.Tensor(
          name: $0.name, shape: $0.shape, elements: .float32(try source.float32($0.name)))
      }
      tensors(&list)
      try SafetensorsWriter.write(list, to: folder.appendingPathComponent("model.safetensors"))
      try files(folder)
      return try ModelFiles.open(folder.path)
    }
  }

  @Test func tiedAndUntiedHeadsAreTolerated() throws {
    let tied = try open(config: ["tie_word_embeddings": true])
    #expect(tied.weights.configuration.tiedEmbeddings && !tied.weights.has(.head))
    let headless = try open(tensors: { $0.removeAll { $0.name == "lm_head.weight" } })
    #expect(headless.weights.configuration.tiedEmbeddings && !headless.weights.has(.head))
    #expect(folder.has(.head) && !folder.configuration.tiedEmbeddings)
  }

  @Test func shardsAreRead() throws {
    let whole = try weights(of: folder)
    let sharded = try open(files: { folder in
      let single = folder.appendingPathComponent("model.safetensors")
      let source = try SafetensorsFile(single)
      var map: [String: String] = [:]
      for part in 0..<2 {
        let names = source.names.enumerated().filter { $0.offset % 2 == part }.map(\.element)
        let shard = "model-0000\(part + 1)-of-00002.safetensors"
        let tensors = try names.map { name in
          SafetensorsWriter.Tensor(
            name: name, shape: try source.require(name).shape, elements: .float32(try source.float32(name)))
        }
        try SafetensorsWriter.write(tensors, to: folder.appendingPathComponent(shard))
        for name in names { map[name] = shard }
      }
      try FileManager.default.removeItem(at: single)
      try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
        to: folder.appendingPathComponent("model.safetensors.index.json"))
    })
    #expect(try weights(of: sharded.weights) == whole)
    for shard in ["../model.safetensors", "absent.safetensors", "model.safetensors"] {
      let error = fileError {
        _ = try open(files: { folder in
          let single = folder.appendingPathComponent("model.safetensors")
          try FileManager.default.removeItem(at: single)
          if shard == "model.safetensors" {
            try SafetensorsWriter.write([], to: folder.appendingPathComponent("other.safetensors"))
          }
          let map = ["lm_head.weight": shard == "model.safetensors" ? "other.safetensors" : shard]
          try JSONSerialization.data(withJSONObject: ["weight_map": map]).write(
            to: folder.appendingPathComponent("model.safetensors.index.json"))
        })
      }
      #expect(error?.kind == (shard.contains("/") ? .malformed : .missing))
      if shard == "absent.safetensors" {
        #expect(error?.field == shard && error?.remedy == "fetch the shard into the folder")
        #expect(error?.problem == "the shard is missing, but model.safetensors.index.json lists it")
      }
    }
  }

  @Test func ropeParametersAreDecoded() throws {
    let old = try open(config: [
      "rope_parameters": nil as Any?, "rope_theta": 7.5,
      "rope_scaling": [
        "type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32,
      ] as [String: Any],
    ])
    #expect(old.weights.configuration.ropeTheta == 7.5)
    #expect(
      old.weights.configuration.ropeScaling
        == .llama3(factor: 8, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 32))
    let new = try open(config: [
      "rope_parameters": ["rope_type": "linear", "factor": 2, "rope_theta": 9] as [String: Any]
    ])
    #expect(new.weights.configuration.ropeScaling == .linear(factor: 2))
    #expect(new.weights.configuration.ropeTheta == 9)
    let yarn = fileError {
      _ = try open(config: ["rope_parameters": ["rope_type": "yarn", "factor": 2] as [String: Any]])
    }
    #expect(yarn?.problem == "rope scaling yarn is not supported")
  }

  @Test func llama3DivisorsFollowTheThreeRanges() {
    // Llama 3.2 1B: base 500000, head dimension 64, factor 32, 1 and 4, 8192.
    let scaling = RopeScaling.llama3(
      factor: 32, lowFrequencyFactor: 1, highFrequencyFactor: 4, originalMaximumPositions: 8192)
    let divisors = scaling.divisors(theta: 500_000, headDimension: 64)
    #expect(divisors.count == 32)
    #expect(divisors[0] == 1 && divisors[14] == 1 && divisors[31] == 32)
    #expect(zip(divisors, divisors.dropFirst()).allSatisfy { $0 <= $1 })
    // Pair 16: wavelength 2π · √500000, 4442.9; smooth (8192 / λ - 1) / 3.
    let smooth = (8192 / (2 * Double.pi * 500_000.0.squareRoot()) - 1) / 3
    #expect(abs(1 / divisors[16] - ((1 - smooth) / 32 + smooth)) < 1e-12)
  }

  @Test func othersAreRefusedByName() {
    let cases: [(String, Any?, String)] = [
      ("architectures", ["MistralForCausalLM"], "MistralForCausalLM"), ("attention_bias", true, "biases"),
      ("mlp_bias", true, "biases"), ("hidden_act", "gelu", "gelu"),
      ("quantization_config", ["quant_method": "gptq"], "gptq"), ("hidden_size", "12", "integer"),
      ("num_hidden_layers", nil, "no such key"), ("num_key_value_heads", 3, "divide"),
      ("num_attention_heads", 0, "0"), ("num_hidden_layers", 1 << 40, "between"),
      ("rms_norm_eps", -1.0, "epsilon"), ("tie_word_embeddings", 3, "true or false"),
    ]
    for (key, value, part) in cases {
      let error = fileError { _ = try open(config: [key: value]) }
      #expect(error?.description.contains(part) == true, "\(key): \(String(describing: error))")
    }
  }

  @Test func shapesThatDisagreeNameTheTensorAndBothShapes() {
    let error = fileError { _ = try open(config: ["intermediate_size": 24]) }
    #expect(error?.kind == .shape && error?.field == "model.layers.0.mlp.gate_proj.weight")
    #expect(error?.problem == "has shape [20, 12], but the configuration expects [24, 12]")
    let more = fileError { _ = try open(config: ["num_hidden_layers": 3]) }
    #expect(more?.kind == .missing && more?.field == "model.layers.2.input_layernorm.weight")
    let fewer = fileError { _ = try open(config: ["num_hidden_layers": 1]) }
    #expect(fewer?.file.hasSuffix("/config.json") == true && fewer?.field == "num_hidden_layers")
    #expect(
      fewer?.problem == "is 1, but the weights continue to model.layers.1.self_attn.v_proj.weight")
    #expect(fewer?.remedy.contains("set it to 2, or fetch both again") == true)
    let integers = fileError {
      _ = try open(tensors: { list in
        list.removeAll { $0.name == "model.norm.weight" }
        list.append(
          .init(name: "model.norm.weight", shape: [12], elements: .int32([Int32](repeating: 1, count: 12))))
      })
    }
    #expect(integers?.kind == .unsupported && integers?.field == "model.norm.weight")
  }

  @Test func pathsThatHoldNoModelAreNamed() throws {
    #expect(fileError { _ = try ModelFiles.open("/no/such/model") }?.kind == .missing)
    try Fixtures.withTemporaryDirectory { folder in
      #expect(fileError { _ = try ModelFiles.open(folder.path) }?.problem.contains("neither") == true)
      let copy = folder.appendingPathComponent("model.gguf")
      try FileManager.default.copyItem(at: fixture("tiny-llama.gguf"), to: copy)
      #expect(try ModelFiles.open(folder.path).path == copy.path)
      try FileManager.default.copyItem(at: copy, to: folder.appendingPathComponent("b.gguf"))
      #expect(fileError { _ = try ModelFiles.open(folder.path) }?.problem.contains("2 GGUF") == true)
    }
    let other = fileError { _ = try ModelFiles.open(fixture("metadata.gguf").path) }
    #expect(other?.problem == "architecture test is not supported, only llama")
  }
}

@Suite struct GGUFConfigurationTests {
  /// Opens the tiny model with other keys and tensors.
  private func open(
    _ keys: [(String, GGUFWriter.Value)], without: String? = nil, extra: [GGUFWriter.Tensor] = []
  ) throws -> GGUFWeightSource {
    let file = try GGUFFile(fixture("tiny-llama.gguf"))
    var metadata: [(String, GGUFWriter.Value)] = [
      ("general.architecture", .string("llama")), ("llama.embedding_length", .uint32(12)),
      ("llama.block_count", .uint32(2)), ("llama.attention.head_count", .uint32(4)),
      ("llama.attention.head_count_kv", .uint32(2)), ("llama.feed_forward_length", .uint32(20)),
      ("llama.context_length", .uint32(64)), ("llama.attention.key_length", .uint32(8)),
      ("llama.attention.layer_norm_rms_epsilon", .float32(1e-5)),
    ]
    metadata.removeAll { pair in keys.contains { $0.0 == pair.0 } }
    let tensors = try file.tensors.filter { $0.name != without }.map {
      GGUFWriter.Tensor(name: $0.name, shape: $0.shape, float32: try values(file, $0.name))
    }
    let bytes = GGUFWriter.encode(metadata: metadata + keys, tensors: tensors + extra)
    return try GGUFWeightSource(GGUFFile(guardedFile(bytes)))
  }

  @Test func keysAndTensorsMakeTheConfiguration() throws {
    #expect(try open([]).configuration.ropeTheta == 10_000)
    #expect(try open([], without: "output.weight").configuration.tiedEmbeddings)
    let perLayer = GGUFWriter.Value.array(.uint32, [.uint32(2), .uint32(2)])
    #expect(try open([("llama.attention.head_count_kv", perLayer)]).configuration.keyValueHeadCount == 2)
    let linear = try open([
      ("llama.rope.scaling.type", .string("linear")), ("llama.rope.scaling.factor", .float32(4)),
    ])
    #expect(linear.configuration.ropeScaling == .linear(factor: 4))
    let divisors = GGUFWriter.Tensor(name: "rope_freqs.weight", shape: [4], float32: [1, 1, 2, 8])
    #expect(try open([], extra: [divisors]).configuration.ropeScaling == .divisors([1, 1, 2, 8]))
  }

  @Test func variantsAreRefusedByName() {
    let cases: [((String, GGUFWriter.Value), String)] = [
      (("general.architecture", .string("qwen2")), "qwen2"), (("llama.expert_count", .uint32(8)), "experts"),
      (("general.type", .string("adapter")), "adapter"), (("llama.rope.dimension_count", .uint32(4)), "4"),
      (("llama.rope.scaling.type", .string("yarn")), "yarn"),
      (("llama.context_length", .string("x")), "integer"),
      (("llama.attention.head_count", .uint32(0)), "0"), (("llama.block_count", .uint32(.max)), "between"),
      (("llama.embedding_length", .uint64(.max)), "integer"),
      (("llama.feed_forward_length", .uint32(24)), "[24, 12]"),
      (("llama.vocab_size", .uint32(17)), "[17, 12]"),
    ]
    for (key, part) in cases {
      let error = fileError { _ = try open([key]) }
      #expect(error?.description.contains(part) == true, "\(key): \(String(describing: error))")
    }
    let bias = GGUFWriter.Tensor(
      name: "blk.0.attn_q.bias", shape: [32], float32: [Float](repeating: 0, count: 32))
    #expect(fileError { _ = try open([], extra: [bias]) }?.field == "blk.0.attn_q.bias")
    let short = GGUFWriter.Tensor(name: "rope_freqs.weight", shape: [3], float32: [1, 1, 2])
    #expect(fileError { _ = try open([], extra: [short]) }?.field == "rope_freqs.weight")
    #expect(
      fileError { _ = try open([], without: "blk.1.attn_k.weight") }?.field == "blk.1.attn_k.weight")
  }
}
