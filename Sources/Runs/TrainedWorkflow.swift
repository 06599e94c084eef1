import Checkpoint
import ContextLoRA
import Datasets
import Evaluation
import Foundation
import LanguageModels
import Prompting
import Tensor
import Workflows

/// A trained workflow, ready to be measured and to answer.
public struct TrainedWorkflow: Sendable {
  /// The workflow with its model.
  public let loaded: LoadedWorkflow
  /// The trained columns, or those of the last checkpoint.
  public let file: AdapterFile
  /// Whether training was done.
  public let isComplete: Bool
  private let folder: RunFolder
  private let manifest: RunFolder.Manifest

  /// Loads a run.
  ///
  /// - Parameter type: a number format that goes before the workflow's.
  /// - Throws: an error that names what is missing and the remedy.
  public init(run path: String, models: String, type: ElementType? = nil) throws {
    folder = RunFolder(path)
    manifest = try folder.readManifest()
    let workflow = try Workflow(contentsOf: folder.workflow.path)
    // The file's own bytes: a run of an older version has fewer settings in it.
    guard try FileChecksum.sha256(of: folder.workflow) == manifest.workflowIdentity else {
      throw RunError(
        folder.workflow.path, "is not the workflow this run was trained with", "restore it, or train again")
    }
    let place = FileManager.default.fileExists(atPath: manifest.modelPath) ? manifest.modelPath : nil
    if let place { try ModelLocation.verify(manifest.model, at: place) }
    loaded = try LoadedWorkflow(
      place.map { try workflow.applying(overrides: ["model=\($0)"]) } ?? workflow, models: models, base: nil,
      use: .forward, type: type)
    guard loaded.modelIdentity == manifest.modelIdentity else {
      throw RunError(
        loaded.modelPath, "is not the model this run was trained with", "restore it, or train again")
    }
    isComplete = FileManager.default.fileExists(atPath: folder.adapter.path)
    if isComplete {
      file = try AdapterFile(folder.adapter, sites: loaded.sites)
      guard file.blocks == AdapterFile(adapter: file.adapter, schedule: workflow.phaseSchedule).blocks else {
        throw RunError(
          folder.adapter.path, "has other columns than the workflow gives its tasks",
          "restore it, or train again")
      }
    } else if FileManager.default.fileExists(atPath: folder.checkpoint.path) {
      file = AdapterFile(
        adapter: try TrainingCheckpoint(folder.checkpoint, sites: loaded.sites).adapter,
        schedule: workflow.phaseSchedule)
    } else {
      throw RunError(folder.url.path, "has no checkpoint yet", "resume its training with --resume")
    }
  }

  /// The columns a task sees.
  public func view(_ task: String) -> AdapterView? {
    guard let block = file.blocks.first(where: { $0.task == task }) else { return nil }
    return AdapterView(
      file.adapter, columns: .inference(block.sees), configuration: loaded.stage.configuration,
      device: loaded.stage.device)
  }

  /// Measures and answers with the trained columns, or as the base model without them.
  public func evaluator(base: Bool = false) -> WorkflowEvaluator {
    WorkflowEvaluator(
      workflow: loaded.workflow, predictor: AnswerPredictor(loaded.stage, prompts: loaded.prompts),
      view: { task in base ? nil : view(task) })
  }

  /// The data the run was trained with, or another folder.
  public func data(_ path: String? = nil) -> DatasetFolder { DatasetFolder(path: path ?? manifest.dataPath) }

  /// Reads a split.
  ///
  /// - Throws: `EpisodeFileError` naming file, line and remedy.
  public func episodes(_ split: DatasetFolder.Split, data path: String? = nil) throws -> [Episode] {
    let workflow = loaded.workflow
    return try data(path).read(
      split, tasks: workflow.tasks.map(\.name), inputs: workflow.inputsByTask)
  }

  /// Reads one file of episodes, which need not record answers.
  ///
  /// - Throws: `EpisodeFileError` naming file, line and remedy.
  public func episodes(file path: String) throws -> [Episode] {
    let workflow = loaded.workflow
    return try EpisodeFile.read(
      path, tasks: workflow.tasks.map(\.name), inputs: workflow.inputsByTask, answersOptional: true)
  }

  /// The columns a task sees, as modules of an adapter that knows no tasks.
  ///
  /// - Throws: `RunError` where there is no such task.
  public func modules(task: String) throws -> (modules: [AdapterModule], rank: Int) {
    guard let block = file.blocks.first(where: { $0.task == task }) else {
      let known = file.blocks.map(\.task).joined(separator: ", ")
      throw RunError(folder.url.path, "has no task '\(task)'", "give one of: \(known)")
    }
    let adapter = file.adapter
    let modules = zip(adapter.sites, adapter.pairs).map { site, pair in
      AdapterModule(
        path: site.path, rank: block.sees.count, inputs: site.inputs, outputs: site.outputs,
        a: block.sees.flatMap { pair.a[$0 * site.inputs..<($0 + 1) * site.inputs] },
        b: (0..<site.outputs).flatMap { row in block.sees.map { pair.b[row * adapter.rank + $0] } })
    }
    return (modules, block.sees.count)
  }
}
