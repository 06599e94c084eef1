import Checkpoint
import Foundation
import TestSupport
import Testing

@Suite struct PEFTFolderTests {
  private static let paths = ["model.layers.0.mlp.down_proj", "model.layers.0.self_attn.q_proj"]

  /// An adapter of rank 2 at two modules, written to a folder.
  private func withFolder(isRankStabilized: Bool = false, _ body: (URL, PEFTAdapter) throws -> Void) throws {
    let modules = Self.paths.map { path in
      AdapterModule(
        path: path, rank: 2, inputs: 3, outputs: 2, a: [1, 2, 3, 4, 5, 6], b: [.nan, -0.0, 0.1, 7])
    }
    let adapter = PEFTAdapter(
      modules: modules, rank: 2, alpha: 0.7, isRankStabilized: isRankStabilized, baseModel: "tiny")
    try Fixtures.withTemporaryDirectory { folder in
      let url = folder.appendingPathComponent("peft")
      try adapter.write(to: url)
      try body(url, adapter)
    }
  }

  @Test(arguments: [false, true]) func whatWasWrittenIsRead(isRankStabilized: Bool) throws {
    try withFolder(isRankStabilized: isRankStabilized) { url, adapter in
      let read = try PEFTFolder(url)
      #expect(read.rank == 2 && read.targetModules == ["down_proj", "q_proj"])
      #expect(read.scale == 0.7 / (isRankStabilized ? 2.0.squareRoot() : 2))
      #expect(read.modules.map(\.path) == Self.paths)
      for (module, written) in zip(read.modules, adapter.modules) {
        #expect(module.a == written.a && module.inputs == 3 && module.outputs == 2)
        #expect(module.b.map(\.bitPattern) == written.b.map(\.bitPattern))
      }
      #expect(read.adapts("model.layers.9.mlp.down_proj") && !read.adapts("model.layers.0.mlp.up_proj"))
    }
  }

  /// As PEFT's `check_target_module_exists` decides.
  @Test(arguments: [
    ("0", "\"layers\"", true, false), ("[0, 3]", "\"layers\"", true, true),
    ("[0]", "[\"h\", \"layers\"]", true, false),
    ("[0]", "null", true, false), ("[0]", "[]", true, false), ("[]", "null", true, true),
    ("null", "null", true, true),
  ])
  func layersAreChosen(_ layers: String, _ pattern: String, _ first: Bool, _ fourth: Bool) throws {
    try withFolder { url, _ in
      let file = url.appendingPathComponent("adapter_config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
        .replacingOccurrences(of: "\"layers_to_transform\": null", with: "\"layers_to_transform\": \(layers)")
        .replacingOccurrences(of: "\"layers_pattern\": null", with: "\"layers_pattern\": \(pattern)")
      try text.write(to: file, atomically: true, encoding: .utf8)
      let read = try PEFTFolder(url)
      #expect(read.adapts("model.layers.0.mlp.down_proj") == first)
      #expect(read.adapts("model.layers.3.mlp.down_proj") == fourth)
      #expect(!read.adapts("model.blocks.3.mlp.up_proj"))
    }
  }

  @Test(arguments: [
    ("\"layers_to_transform\": null", "\"layers_to_transform\": [1]", "target_modules"),
    ("\"layers_to_transform\": null", "\"layers_to_transform\": [\"0\"]", "layers_to_transform"),
    ("\"layers_to_transform\": null", "\"layers_to_transform\": {}", "layers_to_transform"),
    ("\"layers_pattern\": null", "\"layers_pattern\": 3", "layers_pattern"),
    ("\"LORA\"", "\"IA3\"", "peft_type"), ("\"r\": 2", "\"r\": 0", "r"), ("\"r\": 2", "\"r\": 1e300", "r"),
    ("\"lora_alpha\": 0.7", "\"lora_alpha\": \"0.7\"", "lora_alpha"),
    ("\"use_dora\": false", "\"use_dora\": true", "use_dora"), ("\"none\"", "\"all\"", "bias"),
    ("\"alpha_pattern\": {}", "\"alpha_pattern\": {\"q_proj\": 3}", "alpha_pattern"),
    ("\"q_proj\"", "\"k_proj\"", "target_modules"),
    ("\"r\": 2", "\"r\": 3", "base_model.model.model.layers.0.mlp.down_proj.lora_A.weight"),
  ])
  func settingsThatAreNotPlainLoRAAreRefused(_ old: String, _ new: String, _ field: String) throws {
    try withFolder { url, _ in
      let file = url.appendingPathComponent("adapter_config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      try #require(text.contains(old))
      try text.replacingOccurrences(of: old, with: new).write(to: file, atomically: true, encoding: .utf8)
      #expect(fileError { _ = try PEFTFolder(url) }?.field == field)
    }
  }

  @Test func otherTensorsAreRefused() throws {
    try withFolder { url, _ in
      let file = url.appendingPathComponent("adapter_model.safetensors")
      let prefix = "base_model.model.model.layers.0.mlp.down_proj"
      func tensor(_ name: String, _ shape: [Int]) -> SafetensorsWriter.Tensor {
        SafetensorsWriter.Tensor(
          name: name, shape: shape, elements: .float32([Float](repeating: 1, count: shape.reduce(1, *))))
      }
      let (a, b) = (tensor(prefix + ".lora_A.weight", [2, 3]), tensor(prefix + ".lora_B.weight", [2, 2]))
      for tensors in [
        [], [a], [b], [a, tensor("base_model.model.model.layers.1.mlp.down_proj.lora_B.weight", [2, 2])],
        [a, b, tensor("base_model.model.lm_head.weight", [2, 2])], [a, b, tensor("lora_A.weight", [2, 2])],
        [a, tensor(b.name, [4])], [tensor(a.name, [3, 2]), b],
      ] {
        try SafetensorsWriter.write(tensors, to: file)
        #expect(fileError { _ = try PEFTFolder(url) }?.file == file.path)
      }
      try FileManager.default.removeItem(at: file)
      #expect(fileError { _ = try PEFTFolder(url) }?.file == file.path)
    }
  }
}
