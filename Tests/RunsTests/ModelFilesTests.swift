import Checkpoint
import ContextLoRA
import Foundation
import Glibc
import InputErrors
import ProjectFixtures
import Runs
import SafeFiles
import Testing
import Workflows

/// Runs whose model's files change, during the training or after it.
struct ModelFilesTests {
  private struct Killed: Error {}

  private func train(
    _ project: TinyProject, resume: Bool = false, onStep: (StepRecord) throws -> Void = { _ in }
  ) throws -> Bool {
    try TrainingRun(project.workflow("training.maxSteps=3"), out: project.out, models: project.folder.path)
      .run(
        resume: resume
      ) { event in
        if case .training(.step(let record), _) = event { try onStep(record) }
      }
  }

  private func message(_ body: () throws -> Void) -> String {
    do {
      try body()
      return ""
    } catch {
      #expect(error is any InputError)
      return "\(error)"
    }
  }

  private func load(_ project: TinyProject) throws {
    _ = try TrainedWorkflow(run: project.out, models: project.folder.path)
  }

  /// A model whose weights are mapped, and one that is small enough for memory.
  @Test("a model that is truncated or overwritten ends a training", arguments: [2, 40], [false, true])
  func changedDuringTraining(layers: Int, isTruncated: Bool) throws {
    try TinyProject.with(layers: layers) { project in
      let file = project.folder.appendingPathComponent("model/model.safetensors")
      let good = try Data(contentsOf: file)
      let text = message {
        _ = try train(project) { record in
          guard record.totalStep == 4 else { return }
          if isTruncated {
            #expect(truncate(file.path, off_t(good.count / 2)) == 0)
          } else {
            // In place, as a copy over the file would.
            let handle = try FileHandle(forWritingTo: file)
            try handle.seek(toOffset: UInt64(good.count / 2))
            try handle.write(contentsOf: Data(count: 64))
            try handle.close()
          }
        }
      }
      #expect(text.hasPrefix(file.path) && text.contains("has changed since it was opened"), "\(text)")
      let folder = RunFolder(project.out)
      #expect(!FileManager.default.fileExists(atPath: folder.adapter.path))
      if isTruncated { #expect(message { _ = try train(project, resume: true) } != "") }
      try good.write(to: file)
      #expect(try train(project, resume: true))
    }
  }

  @Test("a model with another tokenizer or chat template is refused, and the message says which")
  func otherPrompts() throws {
    try TinyProject.with { project in
      #expect(throws: Killed.self) {
        try train(project) { if $0.totalStep == 4 { throw Killed() } }
      }
      try load(project)
      let model = project.folder.appendingPathComponent("model")
      let changes: [(file: String, old: String, new: String, what: String)] = [
        ("chat_template.jinja", "<assistant>", "<model>", "another chat template"),
        ("tokenizer.json", "\"version\":", "\"version\" :", "another tokenizer"),
      ]
      for (name, old, new, what) in changes {
        let file = model.appendingPathComponent(name)
        let good = try String(contentsOf: file, encoding: .utf8)
        try #require(good.contains(old))
        try good.replacingOccurrences(of: old, with: new).write(to: file, atomically: true, encoding: .utf8)
        for text in [message { try load(project) }, message { _ = try train(project, resume: true) }] {
          #expect(text.contains("model: has \(what) than when this run was started"), "\(text)")
        }
        try good.write(to: file, atomically: true, encoding: .utf8)
      }
      // Tokens that end a text.
      let settings = model.appendingPathComponent("tokenizer_config.json")
      try Data(#"{"eos_token": "!"}"#.utf8).write(to: settings)
      #expect(message { try load(project) }.contains("another tokenizer"))
      try FileManager.default.removeItem(at: settings)
      try load(project)

      // Older runs do not say which tokenizer and chat template they had.
      let folder = RunFolder(project.out)
      var manifest = try folder.readManifest()
      #expect(manifest.promptIdentity != nil)
      manifest.promptIdentity = nil
      try JSONEncoder().encode(manifest).write(to: folder.manifest)
      try load(project)
      #expect(try train(project, resume: true))
    }
  }

  @Test("a model's identity depends on many rows of its embedding")
  func embeddingRows() throws {
    try TinyProject.with { project in
      let folder = project.folder.appendingPathComponent("model")
      let file = folder.appendingPathComponent("model.safetensors")
      let weights = try SafetensorsFile(file)
      let rows = try weights.require("model.embed_tokens.weight").shape[0]
      let known = try ModelIdentity.of(ModelFiles.open(folder.path).weights)
      for row in [0, rows - 1] {
        try SafetensorsWriter.write(
          weights.tensors.map { tensor in
            var values = try weights.float32(tensor.name)
            if tensor.name == "model.embed_tokens.weight" { values[row * 32] += 1 }
            return SafetensorsWriter.Tensor(
              name: tensor.name, shape: tensor.shape, elements: .float32(values))
          }, to: file)
        let changed = try ModelFiles.open(folder.path).weights
        #expect(try ModelIdentity.of(changed) != known, "row \(row)")
        #expect(try ModelIdentity.of(changed, version: 2) != ModelIdentity.of(changed))
      }
    }
  }

  @Test("weights that are not numbers are named as the cause of a first loss that is none")
  func notNumbers() throws {
    try TinyProject.with { project in
      let file = project.folder.appendingPathComponent("model/model.safetensors")
      let weights = try SafetensorsFile(file)
      try SafetensorsWriter.write(
        weights.tensors.map { tensor in
          var values = try weights.float32(tensor.name)
          if tensor.name == "model.norm.weight" { values[3] = .nan }
          return SafetensorsWriter.Tensor(name: tensor.name, shape: tensor.shape, elements: .float32(values))
        }, to: file)
      let text = message { _ = try train(project) }
      #expect(text.contains("is not finite before anything is trained, so the model's weights are the cause"))
    }
  }

  @Test("a path in a file counts from the file's folder alone")
  func paths() throws {
    let here = FileManager.default.currentDirectoryPath
    let some = try #require(try FileManager.default.contentsOfDirectory(atPath: here).min())
    try TinyProject.with { project in
      let folder = project.folder.path
      let error = #expect(throws: FileError.self) {
        try ModelLocation("./\(some)", models: folder, resolved: "\(folder)/./\(some)")
      }
      #expect(error?.file == "\(folder)/./\(some)")
      #expect(error?.problem.contains("'./\(some)' is in the current folder, but") == true)
      let none = #expect(throws: FileError.self) {
        try ModelLocation("./none", models: folder, resolved: "\(folder)/./none")
      }
      #expect(none?.problem == "no such model, file or folder")
      #expect(try ModelLocation("./\(some)", models: folder).path == "./\(some)")
      #expect(
        try ModelLocation("./model", models: folder, resolved: "\(folder)/./model").path
          == "\(folder)/./model")
      // An override counts from the current folder.
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
        .replacing("model: \(folder)/model", with: "model: ./model")
      try text.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      #expect(try WorkflowMaterial(project.workflow(), models: folder).modelPath == "\(folder)/./model")
      let overridden = try project.workflow("model=./none")
      #expect(
        message { _ = try WorkflowMaterial(overridden, models: folder) }.hasPrefix("./none: no such model"))
    }
  }

  @Test("an adapter beyond the machine's memory is refused by its fields")
  func memory() throws {
    try TinyProject.with { project in
      let settings = ["lora.rank=65535", "training.parentAnswers=predicted", "training.staleness=1000"]
      let workflow = try Workflow(contentsOf: project.workflowFile, overrides: settings)
      let material = try WorkflowMaterial(workflow, models: project.folder.path)
      let text = message { try material.checkAdapter(1 << 30) }
      #expect(
        text.contains("lora.rank, training.staleness: the 65535 rank columns of 14 modules need at least"))
      #expect(text.contains("but this machine has 1024 MiB"))
      try material.checkAdapter(1 << 50)
      try WorkflowMaterial(project.workflow(), models: project.folder.path).checkAdapter(1 << 20)
      #expect(try #require(ProcessMemory.available()) > 1 << 20)
    }
  }

  @Test("a step beyond the machine's memory is refused by its field, weights by their file")
  func stepMemory() throws {
    try TinyProject.with { project in
      let models = project.folder.path
      let material = try WorkflowMaterial(project.workflow(), models: models)
      func refusal(_ material: WorkflowMaterial, rows: Int, workers: Int = 2, memory: Int?) -> String {
        message {
          try material.checkStep(task: "mood", rows: rows, workers: workers, type: .float32, memory: memory)
        }
      }
      let many = refusal(material, rows: 1 << 30, memory: 1 << 30)
      #expect(
        many.contains("training.microBatchTokens: micro-batches of 1073741824 tokens of task 'mood', one on"))
      #expect(many.contains("each of 2 threads, need with the model's weights at least "))
      #expect(many.contains("but this machine has 1024 MiB; lower microBatchTokens or training.batchSize"))
      let sampled = try WorkflowMaterial(project.workflow("training.microBatchSamples=4"), models: models)
      #expect(refusal(sampled, rows: 1 << 30, memory: 1 << 30).contains("training.microBatchSamples: micro-"))
      #expect(refusal(material, rows: 64, memory: 1 << 30).isEmpty)
      #expect(refusal(material, rows: .max, workers: .max, memory: nil).isEmpty)
      #expect(
        refusal(material, rows: .max, workers: .max, memory: .max).contains("at least 1000000000000000 MiB"))
      let weights = refusal(material, rows: 1, memory: 1 << 10)
      #expect(weights.hasPrefix(material.modelPath + ": its weights need for training at least 0 MiB"))
    }
  }

  @Test("a model whose path cannot be examined is found by its name")
  func unexaminedPath() throws {
    try TinyProject.with { project in
      // Below a file, as in a folder of somebody else.
      let hidden = project.workflowFile + "/model"
      let models = project.folder.path
      let found = try ModelLocation("model", models: models, resolved: hidden)
      #expect(found.path == "\(models)/model")
      let error = #expect(throws: FileError.self) {
        _ = try ModelLocation("other", models: models, resolved: hidden)
      }
      #expect(error?.description.contains("Not a directory") == true)
    }
  }
}
