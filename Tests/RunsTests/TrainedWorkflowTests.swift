import Checkpoint
import ContextLoRA
import Foundation
import InputErrors
import LanguageModels
import ProjectFixtures
import Runs
import SafeFiles
import Testing
import Workflows

/// What a run folder must contain to be loaded for answering.
struct TrainedWorkflowTests {
  private struct Killed: Error {}

  /// Trains for two steps, which leaves a checkpoint.
  private func begin(_ project: TinyProject, _ out: String, _ settings: String...) throws {
    let workflow = try Workflow(contentsOf: project.workflowFile, overrides: settings)
    let run = TrainingRun(workflow, out: out, models: project.folder.path)
    #expect(throws: Killed.self) {
      try run.run(resume: false) { event in
        if case .training(.step(let record), _) = event, record.totalStep == 3 { throw Killed() }
      }
    }
  }

  private func refusal(_ project: TinyProject) -> String {
    do {
      _ = try TrainedWorkflow(run: project.out, models: project.folder.path)
      return ""
    } catch { return "\(error)" }
  }

  @Test("a checkpoint of another run is rejected")
  func foreignCheckpoint() throws {
    try TinyProject.with { project in
      try begin(project, project.out)
      #expect(refusal(project) == "")
      let own = RunFolder(project.out).checkpoint
      let modules = try TrainedWorkflow(run: project.out, models: project.folder.path).material.modules
      let position = try TrainingCheckpoint(own, modules: modules).position
      for (setting, isForeign) in [
        ("lora.rank=12", true), ("training.seed=7", true), ("lora.rank=12", false),
      ] {
        let out = project.folder.appendingPathComponent(UUID().uuidString).path
        try begin(project, out, setting)
        var other = try TrainingCheckpoint(RunFolder(out).checkpoint, modules: modules)
        // With this run's identities, as if written for it.
        if !isForeign { other.position = position }
        try other.write(to: own)
        #expect(
          refusal(project).contains(
            isForeign ? "belongs to another workflow or model" : "rank or scale is not the workflow's"))
      }
    }
  }

  @Test("an adapter with another scale is refused")
  func foreignScale() throws {
    try TinyProject.with { project in
      let workflow = try project.workflow("training.maxSteps=1")
      _ = try TrainingRun(workflow, out: project.out, models: project.folder.path).run(resume: false) { _ in }
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      var file = trained.file
      file.adapter = LoRAAdapter(
        modules: file.adapter.modules, rank: file.adapter.rank, scale: 2 * file.adapter.scale,
        pairs: file.adapter.pairs)
      try file.write(to: RunFolder(project.out).adapter)
      #expect(refusal(project).contains("rank or scale is not the workflow's"))
    }
  }

  @Test("a model's path may hold any character, and is relative to the workflow file")
  func modelPath() throws {
    try TinyProject.with { project in
      let name = "a model #1: the 'tiny' one"
      try FileManager.default.moveItem(
        at: project.folder.appendingPathComponent("model"), to: project.folder.appendingPathComponent(name))
      let text = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
        .replacing("model: \(project.folder.path)/model", with: "model: \"./\(name)\"")
      try text.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let workflow = try project.workflow("training.maxSteps=1")
      _ = try TrainingRun(workflow, out: project.out, models: project.folder.path).run(resume: false) { _ in }
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      #expect(trained.material.modelPath.hasSuffix("/\(name)") && trained.isComplete)
      try FileManager.default.removeItem(at: project.folder.appendingPathComponent(name))
      #expect(refusal(project).contains("\(project.folder.path)/\(name): no such model, file or folder"))
    }
  }

  @Test("runs with an older version of the model identity are still recognised")
  func olderIdentity() throws {
    try TinyProject.with { project in
      try begin(project, project.out)
      let folder = RunFolder(project.out)
      let material = try TrainedWorkflow(run: project.out, models: project.folder.path).material
      let weights = try ModelFiles.open(material.modelPath).weights
      var manifest = try folder.readManifest()
      #expect(manifest.modelIdentity == (try ModelIdentity.of(weights)))
      manifest.modelIdentity = try ModelIdentity.of(weights, version: 1)
      try JSONEncoder().encode(manifest).write(to: folder.manifest)
      var checkpoint = try TrainingCheckpoint(folder.checkpoint, modules: material.modules)
      checkpoint.position.model = manifest.modelIdentity
      try checkpoint.write(to: folder.checkpoint)
      #expect(refusal(project) == "")
      #expect(
        try TrainingRun(project.workflow(), out: project.out, models: project.folder.path)
          .run(resume: true) { _ in })
    }
  }

  @Test("a model's identity depends on every kind of weight")
  func identity() throws {
    try TinyProject.with { project in
      let weights = try ModelFiles.open(project.folder.appendingPathComponent("model").path).weights
      let names = WeightName.outerWeights(of: weights.configuration) + WeightName.weights(ofLayer: 1)
      let identities: [any WeightSource] = [weights] + names.map { Changed(weights, $0) }
      #expect(try Set(identities.map { try ModelIdentity.of($0) }).count == names.count + 1)
    }
  }
}

/// A model with one weight changed.
private struct Changed: WeightSource {
  let base: any WeightSource
  let name: WeightName

  init(_ base: any WeightSource, _ name: WeightName) { (self.base, self.name) = (base, name) }

  var path: String { base.path }
  var configuration: LlamaConfiguration { base.configuration }
  func has(_ name: WeightName) -> Bool { base.has(name) }
  func shape(of name: WeightName) throws -> [Int] { try base.shape(of: name) }
  func readFloat32(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<Float>) throws {
    try base.readFloat32(name, rows: rows, into: target)
    if name == self.name { target[0] += 1 }
  }
  func readBFloat16(_ name: WeightName, rows: Range<Int>, into target: UnsafeMutablePointer<UInt16>) throws {
    try base.readBFloat16(name, rows: rows, into: target)
  }
  func forgetPages() {}
  func checkUnchanged() throws(FileError) {}
}
