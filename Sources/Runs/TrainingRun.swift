import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import LanguageModels
import Tensor
import Workflows

/// A training of a workflow into a run folder: started, stopped, resumed.
public struct TrainingRun {
  /// What a run tells while it goes.
  public enum Event: Sendable {
    /// The model is in memory.
    case loaded(model: String, precision: ElementType, weightBytes: Int, episodes: Int, seconds: Double)
    /// A resumed run goes on after so many optimiser steps.
    case resumed(totalSteps: Int)
    /// The trainer speaks. `allSteps` is the number of optimiser steps of the whole run.
    case training(TrainingEvent, allSteps: Int)
    /// The adapter was written.
    case finished(URL)
  }

  private let workflow: Workflow
  private let folder: RunFolder
  private let models: String

  /// - Parameters:
  ///   - out: the run folder.
  ///   - models: the folder of fetched models.
  public init(_ workflow: Workflow, out: String, models: String) {
    self.workflow = workflow
    folder = RunFolder(out)
    self.models = models
  }

  /// Trains to the end, or until `shouldStop` says so after a step.
  ///
  /// - Returns: whether training is done; otherwise the run can be resumed.
  /// - Throws: an error that names what is wrong and the remedy. A new run that cannot start leaves nothing
  ///   behind; a run that fails later keeps its last checkpoint.
  public func run(
    resume: Bool, shouldStop: () -> Bool = { false }, onEvent: (Event) throws -> Void
  ) throws -> Bool {
    let start = ContinuousClock.now
    let manifest = resume ? try folder.readManifest() : nil
    if manifest == nil { try folder.refuseContents() }
    let workflowIdentity = FileChecksum.sha256(of: Data(workflow.canonicalYAML().utf8))
    if let manifest, manifest.workflowIdentity != workflowIdentity {
      throw RunError(
        folder.url.path, "is a run of another workflow, or of other settings",
        "resume it with the workflow and the flags it was started with (its workflow.yaml), or give --out a "
          + "new folder")
    }
    let data = DatasetFolder(path: workflow.dataFolder)
    let episodes = try data.read(
      .train, tasks: workflow.tasks.map(\.name), inputs: LoadedWorkflow.inputs(workflow))
    let dataIdentity = try FileChecksum.sha256(of: URL(fileURLWithPath: data.file(.train)))
    if let manifest, manifest.dataIdentity != dataIdentity {
      throw RunError(
        data.file(.train), "is not the data this run was started with",
        "restore it, or train into a new folder")
    }
    let loaded = try LoadedWorkflow(
      workflow, models: models, base: nil, use: .forwardAndBackward)
    if let manifest, manifest.modelIdentity != loaded.modelIdentity {
      throw RunError(
        loaded.modelPath, "is not the model this run was started with (\(manifest.modelPath))",
        "restore that model, or train into a new folder")
    }
    let training = WorkflowTrainingData(
      workflow: workflow, episodes: episodes, validation: try validation(data), prompts: loaded.prompts,
      stage: loaded.stage)
    try training.check()
    let checkpoint = try manifest == nil ? nil : readCheckpoint(loaded)
    if manifest == nil { try create(loaded, workflowIdentity, dataIdentity) }
    let metrics = try MetricsFile(folder.metrics, keeping: checkpoint?.position.totalSteps ?? 0)
    try onEvent(
      .loaded(
        model: loaded.modelPath, precision: loaded.stage.device.computeType,
        weightBytes: loaded.stage.weightBytes, episodes: episodes.count,
        seconds: (ContinuousClock.now - start).inSeconds))
    if let checkpoint { try onEvent(.resumed(totalSteps: checkpoint.position.totalSteps)) }

    let trainer = ContextLoRATrainer(
      loaded.stage, schedule: workflow.phaseSchedule,
      adapter: LoRAAdapter(
        sites: loaded.sites, rank: workflow.rankBlocks.rank, scale: Float(workflow.lora.scale),
        seed: UInt64(workflow.training.seed)), data: training, options: workflow.trainingOptions)
    let allSteps = workflow.phaseSchedule.reduce(0) {
      $0 + trainer.options.stepCount(task: $1.task, samples: episodes.count)
    }
    let done = try trainer.run(
      from: checkpoint,
      to: ContextLoRATrainer.Destination(
        url: folder.checkpoint, workflow: workflowIdentity, model: loaded.modelIdentity),
      shouldStop: shouldStop
    ) { event in
      if case .step(let record) = event { try metrics.append(record) }
      if case .decided(let decisions, _) = event { try log(decisions) }
      if case .checkpoint = event { try metrics.synchronize() }
      try onEvent(.training(event, allSteps: allSteps))
    }
    if done {
      try AdapterFile(adapter: trainer.adapter, schedule: workflow.phaseSchedule).write(to: folder.adapter)
      try onEvent(.finished(folder.adapter))
    }
    return done
  }

  /// Held-back episodes, where adaptive freezing needs them.
  private func validation(_ data: DatasetFolder) throws -> [Episode] {
    guard case .adaptive = workflow.training.frozenRatio else { return [] }
    return try data.read(
      .valid, tasks: workflow.tasks.map(\.name), inputs: LoadedWorkflow.inputs(workflow))
  }

  private func readCheckpoint(_ loaded: LoadedWorkflow) throws -> TrainingCheckpoint? {
    guard FileManager.default.fileExists(atPath: folder.checkpoint.path) else { return nil }
    let checkpoint = try TrainingCheckpoint(folder.checkpoint, sites: loaded.sites)
    guard checkpoint.position.workflow == FileChecksum.sha256(of: Data(workflow.canonicalYAML().utf8)),
      checkpoint.position.model == loaded.modelIdentity
    else {
      throw RunError(
        folder.checkpoint.path, "belongs to another workflow or model", "train again into a new folder")
    }
    return checkpoint
  }

  /// Appends decisions to `decisions.jsonl`; a resumed run may repeat those after its checkpoint.
  private func log(_ decisions: [FreezeDecision]) throws {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys]
    var data = (try? Data(contentsOf: folder.decisions)) ?? Data()
    for decision in decisions { data += try encoder.encode(decision) + Data([10]) }
    try AtomicFile.write(data, to: folder.decisions)
  }

  private func create(_ loaded: LoadedWorkflow, _ workflowIdentity: String, _ dataIdentity: String) throws {
    do {
      try FileManager.default.createDirectory(at: folder.url, withIntermediateDirectories: true)
    } catch {
      throw RunError(
        folder.url.path, "cannot be made", "check the path, the permissions and the free space of the disk")
    }
    try AtomicFile.write(workflow.canonicalYAML(), to: folder.workflow)
    try folder.write(
      RunFolder.Manifest(
        model: workflow.model, modelPath: loaded.modelPath, modelIdentity: loaded.modelIdentity,
        dataPath: workflow.dataFolder, workflowIdentity: workflowIdentity, dataIdentity: dataIdentity,
        precision: loaded.stage.device.computeType.rawValue))
  }
}

extension Workflow {
  /// The settings as the trainer takes them.
  fileprivate var trainingOptions: TrainingOptions {
    var options = training.options
    for task in tasks { options.maximumStepsByTask[task.name] = task.maxSteps }
    return options
  }
}

extension Workflow.Training {
  fileprivate var options: TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs
    options.maximumSteps = maxSteps
    options.batchSize = batchSize
    options.microBatchTokens = microBatchTokens
    options.learningRate = LearningRateSchedule(
      peak: learningRate, shape: schedule == .cosine ? .cosine : .constant, warmup: warmup,
      minimumRatio: minimumRateRatio)
    options.adamW = AdamWSettings(
      beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    options.clipNorm = clipNorm
    options.staleness = staleness
    options.seed = UInt64(seed)
    options.checkpointEvery = checkpointEvery
    if case .adaptive(_, let tolerance) = frozenRatio {
      options.adaptiveFreezing = AdaptiveFreezing(tolerance: tolerance)
    }
    return options
  }
}
