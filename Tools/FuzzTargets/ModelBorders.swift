import Checkpoint
import Foundation
import LanguageModels
import Prompting
import SafeFiles
import StrictJSON
import Tensor
import TestSupport
import Tokenization

/// The files of a model.
enum ModelBorders {
  static func gguf(_ bytes: [UInt8]) throws {
    let files = try ModelFiles.open(Scratch.file("model.gguf", bytes).path)
    try use(files)
  }

  /// The weights fit the seed's configuration; most changes contradict them.
  static func configuration(_ bytes: [UInt8]) throws {
    let folder = Scratch.file("llama/config.json", bytes).deletingLastPathComponent()
    for name in ["model.safetensors", "tokenizer_config.json", "tokenizer.json"] {
      let copy = folder.appendingPathComponent(name)
      guard !FileManager.default.fileExists(atPath: copy.path) else { continue }
      try FileManager.default.copyItem(at: Fixtures.url("checkpoint/tiny-llama/\(name)"), to: copy)
    }
    try use(ModelFiles.open(folder.path))
  }

  /// Reads all weights and, if they are few, computes with them; encodes and renders.
  private static func use(_ files: ModelFiles) throws {
    let configuration = files.weights.configuration
    _ = files.description
    var names = WeightName.outerWeights(of: configuration)
    for layer in 0..<configuration.layerCount { names += WeightName.weights(ofLayer: layer) }
    let size = try names.reduce(0) { try $0 + files.weights.shape(of: $1).reduce(1, *) }
    if size < 1 << 18 {
      for name in names { _ = try files.weights.float32(name) }
      let device = CPUDevice(computeType: .float32, workers: 1)
      let model = try LlamaModel(files.weights, device: device)
      let vocabulary = Int32(configuration.vocabularySize)
      let tokens = (0..<4).map { Int32($0 * 7) % vocabulary }.prefix(configuration.maximumPositions)
      _ = try model.allLogits(Array(tokens))
    }
    let prompts = try ModelPrompts(files)
    try exercise(prompts.tokenizer)
    _ = try prompts.template.render(
      messages: [ChatMessage(role: "user", content: "What?")], addGenerationPrompt: true,
      specialTokens: prompts.specialTokens)
  }

  static func safetensors(_ bytes: [UInt8]) throws {
    let file = try SafetensorsFile(Scratch.file("model.safetensors", bytes))
    for tensor in file.tensors {
      if tensor.count < 1 << 16 {
        switch tensor.type {
        case .float16, .bfloat16, .float32, .float64: _ = try file.float32(tensor.name)
        case .bool, .float8E5M2, .float8E4M3: break
        case .uint8, .int8, .uint16, .int16, .uint32, .int32, .int64:
          _ = try file.integers(tensor.name, as: Int64.self)
        case .uint64: _ = try file.integers(tensor.name, as: UInt64.self)
        }
      }
    }
  }

  static func tokenizer(_ bytes: [UInt8]) throws {
    try exercise(Tokenizer(json: Data(bytes), file: "tokenizer.json"))
  }

  private static func exercise(_ tokenizer: Tokenizer) throws {
    for text in ["", " the  quick\n\tbrown <|im_start|>fox's 12345 — 東京 e\u{301} 🏳️‍🌈\r\n", "\u{FFFD}\u{0}"] {
      let ids = tokenizer.encode(text, parseSpecial: true, addSpecial: true)
      _ = tokenizer.decode(ids, skipSpecial: true)
      var decoder = StreamingDecoder(tokenizer, skipSpecial: false)
      for id in ids { _ = decoder.append(id) }
      _ = decoder.finish()
    }
    _ = tokenizer.decode([-1, 0, 1, .max], skipSpecial: false)
  }

  static func template(_ bytes: [UInt8]) throws {
    guard let source = String(validating: bytes, as: UTF8.self) else { return }
    let template = try ChatTemplate(source: source)
    let conversations = [
      [ChatMessage(role: "user", content: "What?")],
      [
        ChatMessage(role: "system", content: "Be brief."), ChatMessage(role: "user", content: "é\u{301}1"),
        ChatMessage(role: "assistant", content: "A. red"),
      ],
    ]
    for messages in conversations {
      _ = try template.render(
        messages: messages, addGenerationPrompt: messages.count == 1,
        specialTokens: ["bos_token": "<s>", "eos_token": "</s>"],
        variables: ["numbers": .array([.integer(3), .number(0.5), .null, .bool(true)])])
    }
  }

  /// The matrices fit the seed's settings.
  static func peft(_ bytes: [UInt8]) throws {
    let folder = Scratch.file("peft/adapter_config.json", bytes).deletingLastPathComponent()
    let weights = folder.appendingPathComponent("adapter_model.safetensors")
    if !FileManager.default.fileExists(atPath: weights.path) {
      func matrix(_ name: String, _ shape: [Int]) -> SafetensorsWriter.Tensor {
        SafetensorsWriter.Tensor(
          name: "base_model.model.\(name).weight", shape: shape,
          elements: .float32((0..<shape.reduce(1, *)).map { Float($0) / 8 }))
      }
      let module = "model.layers.0.self_attn.q_proj"
      try SafetensorsWriter.write(
        [matrix(module + ".lora_A", [2, 8]), matrix(module + ".lora_B", [8, 2])], to: weights)
    }
    let adapter = try PEFTFolder(folder)
    _ = adapter.adapts("model.layers.1.mlp.up_proj")
  }
}
