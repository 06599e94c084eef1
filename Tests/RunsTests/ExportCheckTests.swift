import Checkpoint
import Foundation
import InputErrors
import ProjectFixtures
import Runs
import Testing

/// An export is read back from its files and compared with the run.
struct ExportCheckTests {
  /// A trained run and the export of its task "mood".
  private func withExport(_ body: (TrainedWorkflow, URL) throws -> Void) throws {
    try TinyProject.with { project in
      let run = TrainingRun(try project.workflow(), out: project.out, models: project.folder.path)
      try #require(try run.run(resume: false) { _ in })
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path, type: .float32)
      let (modules, rank) = try trained.modules(task: "mood")
      let folder = project.folder.appendingPathComponent("peft")
      try PEFTAdapter(
        modules: modules, rank: rank, alpha: Double(trained.file.adapter.scale) * Double(rank),
        baseModel: "tiny"
      ).write(to: folder)
      try body(trained, folder)
    }
  }

  /// The reason why an export is rejected; `nil` if it is accepted.
  private func reason(_ trained: TrainedWorkflow, _ folder: URL) throws -> ExportCheckError.Reason? {
    let prompts = try trained.checkPrompts(task: "mood")
    do {
      _ = try trained.check(export: folder, named: "peft", task: "mood", prompts)
      return nil
    } catch let error as ExportCheckError {
      #expect(error.description.hasPrefix("peft: ") && error.description.contains("do not use this export"))
      return error.reason
    }
  }

  @Test("an undamaged export agrees bit for bit")
  func agrees() throws {
    try withExport { trained, folder in
      let prompts = try trained.checkPrompts(task: "mood")
      let check = try trained.check(export: folder, named: "peft", task: "mood", prompts)
      #expect(check.source == "4 test episodes" && check.largestDifference == 0)
      #expect(check.positions >= 4 && check.agreeing == check.positions)
      for split in ["test", "valid"] {
        try FileManager.default.removeItem(atPath: trained.data().path + "/\(split).jsonl")
        let other = try trained.checkPrompts(task: "mood")
        #expect(other.source == (split == "test" ? "4 valid episodes" : "the task's prompt form"))
        #expect(try trained.check(export: folder, named: "peft", task: "mood", other).largestDifference == 0)
      }
      #expect(throws: Refusal.self) { try trained.checkPrompts(task: "none") }
    }
  }

  @Test(
    "settings that were changed",
    arguments: [
      ("\"lora_alpha\": 8", "\"lora_alpha\": 8.001", "the largest logit difference is "),
      ("\"use_rslora\": false", "\"use_rslora\": true", "the largest logit difference is "),
    ])
  func settings(_ old: String, _ new: String, _ problem: String) throws {
    try withExport { trained, folder in
      let file = folder.appendingPathComponent("adapter_config.json")
      let text = try String(contentsOf: file, encoding: .utf8)
      try #require(text.contains(old), "\(text)")
      try text.replacingOccurrences(of: old, with: new).write(to: file, atomically: true, encoding: .utf8)
      guard case .differs(let what) = try reason(trained, folder) else {
        Issue.record("not refused")
        return
      }
      #expect(what.hasPrefix(problem) && what.contains(", above the tolerance of 0.0, "), "\(what)")
    }
  }

  /// Rewrites the pairs with one value changed.
  private func change(_ folder: URL, _ suffix: String, to value: Float) throws {
    let file = folder.appendingPathComponent("adapter_model.safetensors")
    let read = try SafetensorsFile(file)
    let tensors = try read.names.map { name in
      var values = try read.float32(name)
      if name.hasSuffix(suffix) { values[values.count - 1] = value }
      return SafetensorsWriter.Tensor(
        name: name, shape: try #require(read.tensor(name)).shape, elements: .float32(values))
    }
    try SafetensorsWriter.write(tensors, to: file)
  }

  @Test("values that were changed")
  func values() throws {
    try withExport { trained, folder in
      let file = folder.appendingPathComponent("adapter_model.safetensors")
      let whole = try Data(contentsOf: file)
      try change(folder, "layers.1.mlp.down_proj.lora_B.weight", to: 0.5)
      guard case .differs(let what) = try reason(trained, folder) else {
        Issue.record("not refused")
        return
      }
      #expect(
        what.hasPrefix("1 of 128 values differ in B of model.layers.1.mlp.down_proj; the largest "), "\(what)"
      )

      try change(folder, "layers.0.mlp.down_proj.lora_B.weight", to: .nan)
      guard case .differs(let what) = try reason(trained, folder) else {
        Issue.record("not refused")
        return
      }
      #expect(what.hasSuffix("its logits are not finite"), "\(what)")

      try whole.dropLast(5).write(to: file)
      guard case .unreadable(let what) = try reason(trained, folder) else {
        Issue.record("not refused")
        return
      }
      #expect(what.hasPrefix("peft/adapter_model.safetensors: "), "\(what)")
    }
  }

  @Test("a GGUF file is read as llama.cpp reads it", arguments: [nil, "alpha", "a value", "a cut file"])
  func ggufFiles(damage: String?) throws {
    try withExport { trained, folder in
      var (modules, rank) = try trained.modules(task: "mood")
      var alpha = Float(trained.file.adapter.scale) * Float(rank)
      if damage == "alpha" { alpha *= 1.001 }
      if damage == "a value" {
        // In the last row of B of q_proj, whose rows have another order in the file.
        let old = modules[0]
        var b = old.b
        b[b.count - 1] += 0.5
        modules[0] = AdapterModule(
          path: old.path, rank: rank, inputs: old.inputs, outputs: old.outputs, a: old.a, b: b)
      }
      let file = folder.deletingLastPathComponent().appendingPathComponent("mood.gguf")
      try GGUFAdapter(
        modules: modules, alpha: alpha, name: "mood", configuration: trained.model.configuration
      ).write(to: file)
      if damage == "a cut file" { try Data(contentsOf: file).dropLast(100).write(to: file) }
      let found = try reason(trained, file)
      switch (damage, found) {
      case (nil, nil): break
      case ("alpha", .differs(let what)): #expect(what.hasPrefix("the largest logit difference"), "\(what)")
      case ("a value", .differs(let what)):
        #expect(what.hasPrefix("1 of 128 values differ in B of model.layers.0.self_attn.q_proj"), "\(what)")
      case ("a cut file", .unreadable(let what)): #expect(what.hasPrefix("peft: "), "\(what)")
      default: Issue.record("\(damage ?? "sound"): \(String(describing: found))")
      }
    }
  }

  @Test("pairs that are missing, and pairs for other modules")
  func modules() throws {
    try withExport { trained, folder in
      let (modules, rank) = try trained.modules(task: "mood")
      func write(_ modules: [AdapterModule]) throws {
        try FileManager.default.removeItem(at: folder)
        try PEFTAdapter(modules: modules, rank: rank, alpha: 8, baseModel: "tiny").write(to: folder)
      }
      try write(Array(modules.dropFirst()))
      guard case .differs(let what) = try reason(trained, folder) else {
        Issue.record("not refused")
        return
      }
      #expect(what.hasPrefix("it has no A and B for model.layers.0.self_attn.q_proj; "), "\(what)")

      let first = modules[0]
      try write(
        modules + [
          AdapterModule(
            path: "model.layers.7.self_attn.q_proj", rank: rank, inputs: first.inputs, outputs: first.outputs,
            a: first.a, b: first.b)
        ])
      #expect(
        try reason(trained, folder)
          == .differs("it has A and B for model.layers.7.self_attn.q_proj, which the run does not adapt"))
    }
  }
}
