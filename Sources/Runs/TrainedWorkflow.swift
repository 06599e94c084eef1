import Checkpoint
import ContextLoRA
import Datasets
import Evaluation
import Foundation
import InputErrors
import LanguageModels
import Locking
import Prompting
import SafeFiles
import Tensor
import Workflows

/// A trained workflow, ready for evaluation and for answering.
package struct TrainedWorkflow: Sendable {
  /// The workflow with its model's files.
  package let material: WorkflowMaterial
  /// The whole model.
  package let model: LlamaModel
  /// The trained columns, or those of the last checkpoint.
  package let file: AdapterFile
  /// Whether training is done.
  package let isComplete: Bool
  private let folder: RunFolder
  private let manifest: RunFolder.Manifest
  private let views = ViewCache()

  /// Loads a run.
  ///
  /// - Parameter type: a number format that overrides the workflow's.
  /// - Throws: an error with the missing part and the fix.
  package init(run path: String, models: String, type: ElementType? = nil) throws {
    folder = RunFolder(path)
    manifest = try folder.readManifest()
    let workflow = try Workflow(contentsOf: folder.workflow.path)
    // Hash the file's own bytes: a run of an older version has fewer settings in it.
    guard try FileChecksum.sha256(of: folder.workflow) == manifest.workflowIdentity else {
      throw Refusal(
        folder.workflow.path, "is not the workflow this run was trained with", "restore it, or train again")
    }
    // If the path cannot be examined, ModelLocation says so unless the model is found by its name.
    let isThere = (try? FileKind.of(manifest.modelPath)) != nil
    if isThere { try ModelLocation.verify(manifest.model, at: manifest.modelPath) }
    material = try WorkflowMaterial(
      workflow, models: models,
      modelPath: isThere
        ? manifest.modelPath
        : ModelLocation(manifest.model, models: models, resolved: manifest.modelPath).path)
    try material.check(manifest)
    isComplete = try FileKind.of(folder.adapter.path) != nil
    if isComplete {
      file = try AdapterFile(folder.adapter, modules: material.modules)
      guard file.blocks == AdapterFile(adapter: file.adapter, schedule: workflow.phaseSchedule).blocks else {
        throw Refusal(
          folder.adapter.path, "does not have the columns that the workflow gives its tasks",
          "restore it, or train again")
      }
      try material.check(file.adapter, in: folder.adapter)
    } else if let checkpoint = try folder.readCheckpoint(material, workflow: manifest.workflowIdentity) {
      file = AdapterFile(adapter: checkpoint.adapter, schedule: workflow.phaseSchedule)
    } else {
      throw Refusal(folder.url.path, "has no checkpoint yet", "resume its training")
    }
    model = try material.model(on: material.device(type: type), use: .forward)
  }

  package var workflow: Workflow { material.workflow }

  /// The SHA-256 of the file with the trained columns; `nil` if it was removed meanwhile.
  ///
  /// - Throws: `FileError` if it cannot be read.
  package func checksum() throws -> String? { try folder.checksumOfColumns(isComplete: isComplete) }

  /// The columns a task sees, copied to the device once.
  package func view(_ task: String) -> DeviceAdapter? {
    guard let block = file.blocks.first(where: { $0.task == task }) else { return nil }
    return views.view(task) {
      model.view(of: file.adapter, .inference(block.sees))
    }
  }

  /// An evaluator that uses the trained columns or, with `base`, the base model without them.
  ///
  /// - Parameters:
  ///   - maximumPromptTokens: a limit below that of the model's context.
  ///   - maximumAnswerTokens: the limit on the tokens of a free-text answer; `nil` for each task's own.
  package func evaluator(
    base: Bool = false, maximumPromptTokens: Int = .max,
    maximumAnswerTokens: Int? = nil
  ) -> WorkflowEvaluator {
    WorkflowEvaluator(
      workflow: workflow,
      predictor: AnswerPredictor(
        model, prompts: material.prompts, maximumPromptTokens: maximumPromptTokens,
        maximumAnswerTokens: maximumAnswerTokens),
      view: { task in base ? nil : view(task) })
  }

  /// The data that the run was trained with, or another folder.
  package func data(_ path: String? = nil) -> DatasetFolder { DatasetFolder(path: path ?? manifest.dataPath) }

  /// Reads a split.
  ///
  /// - Throws: `EpisodeFileError` with the file, the line and the fix.
  package func episodes(_ split: DatasetFolder.Split, data path: String? = nil) throws -> [Episode] {
    try data(path).read(split, schema: workflow.episodeSchema)
  }

  /// Reads a split into a table, which takes less memory.
  ///
  /// - Parameters:
  ///   - path: the data folder; `nil` for the run's.
  ///   - onProgress: called now and then while the file is read.
  /// - Throws: `EpisodeFileError` with the file, the line and the fix.
  package func table(
    _ split: DatasetFolder.Split, data path: String? = nil,
    onProgress: (DataPreparation) -> Void = { _ in }
  ) throws -> EpisodeTable {
    let folder = data(path)
    return try folder.table(split, schema: workflow.episodeSchema) { done, all in
      onProgress(DataPreparation(.reading, folder.file(split), done: done, all: all))
    }
  }

  /// Reads one file of episodes, which may lack gold answers.
  ///
  /// - Throws: `EpisodeFileError` with the file, the line and the fix.
  package func episodes(file path: String) throws -> [Episode] {
    try EpisodeFile.read(path, schema: workflow.episodeSchema.withoutAnswers)
  }

  /// The columns a task sees, as modules of an ordinary adapter without tasks.
  ///
  /// - Throws: `Refusal` if there is no such task.
  package func modules(task: String) throws -> (modules: [AdapterModule], rank: Int) {
    guard let block = file.blocks.first(where: { $0.task == task }) else {
      let known = file.blocks.map(\.task).joined(separator: ", ")
      throw Refusal(folder.url.path, "has no task '\(task)'", "give one of: \(known)")
    }
    let adapter = file.adapter
    let modules = zip(adapter.modules, adapter.pairs).map { module, pair in
      AdapterModule(
        path: module.path, rank: block.sees.count, inputs: module.inputs, outputs: module.outputs,
        a: block.sees.flatMap { pair.a[$0 * module.inputs..<($0 + 1) * module.inputs] },
        b: (0..<module.outputs).flatMap { row in block.sees.map { pair.b[row * adapter.rank + $0] } })
    }
    return (modules, block.sees.count)
  }
}

/// Caches the columns of the tasks answered so far.
private final class ViewCache: Sendable {
  private let views = Locked<[String: DeviceAdapter]>([:])

  func view(_ task: String, make: () -> DeviceAdapter) -> DeviceAdapter {
    views.withLock { views in
      if let view = views[task] { return view }
      let view = make()
      views[task] = view
      return view
    }
  }
}
