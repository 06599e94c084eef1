import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import InputErrors
import LanguageModels
import SafeFiles
import TaskGraph
import Tensor
import Workflows

/// Checks before the first step of a training, in one process or on every rank of a job.
struct RunPreparation {
  let material: WorkflowMaterial
  let data: DatasetFolder
  let examples: WorkflowExamples
  let workflowIdentity: String
  let dataIdentity: String
  /// The SHA-256 of the validation episodes' file.
  let validationIdentity: String?
  private let validation: EpisodeTable?

  /// Reads data and model; writes nothing. The examples are not checked yet.
  ///
  /// - Parameter onProgress: called now and then while a file is read.
  /// - Throws: an error with the problem and the fix.
  init(
    _ workflow: Workflow, models: String, onProgress: (DataPreparation) throws -> Void = { _ in }
  ) throws {
    workflowIdentity = FileChecksum.sha256(of: Data(workflow.canonicalYAML().utf8))
    data = DatasetFolder(path: workflow.dataFolder)
    let episodes = try data.table(.train, for: workflow, onProgress)
    if workflow.needsValidation {
      let file = data.file(.valid)
      let remedy =
        "write some episodes there that train.jsonl does not have, or set "
        + (workflow.freezesFromGradients
          ? "training.frozenRatio to a number and training.validateEvery to 0"
          : "training.validateEvery to 0")
      do {
        validation = try data.table(.valid, for: workflow, onProgress)
      } catch let error as EpisodeFileError where error.problem == .missing {
        // Most workflow files do not have the setting.
        let byDefault = workflow.training.validateEvery == nil ? "" : " unless training.validateEvery is 0"
        throw Refusal(file, "is missing, but training validates on it" + byDefault, remedy)
      }
      validationIdentity = try FileChecksum.sha256(of: URL(fileURLWithPath: file))
    } else {
      validation = nil
      validationIdentity = nil
    }
    dataIdentity = try FileChecksum.sha256(of: URL(fileURLWithPath: data.file(.train)))
    material = try WorkflowMaterial(workflow, models: models)
    try material.checkAdapter()
    examples = WorkflowExamples(
      workflow: workflow, episodes: episodes, validation: validation ?? EpisodeTable(),
      prompts: material.prompts)
  }

  /// Renders every prompt of the data, to find errors before training starts. When training resumes, only those that
  /// it uses; otherwise also all of the validation and test episodes that are there and valid.
  ///
  /// - Parameter onProgress: called now and then.
  /// - Returns: what does not prevent training but should be known.
  /// - Throws: an error with the problem and the fix.
  func check(
    resumes: Bool, onProgress: (DataPreparation) throws -> Void = { _ in }
  ) throws -> DataNotes {
    let train = data.file(.train)
    var notes = DataNotes()
    notes.longAnswers = try examples.check(file: train, resumes: resumes) {
      try onProgress(DataPreparation(.rendering, train, done: $0, all: $1))
    }.map { LongAnswersOfFile(file: train, answers: $0) }
    guard !resumes else { return notes }
    for split in [DatasetFolder.Split.valid, .test] {
      let table: EpisodeTable
      do {
        let known = split == .valid ? validation : nil
        table = try known ?? data.table(split, for: workflow, onProgress)
      } catch let error as EpisodeFileError {
        // Training does not use this file.
        if error.problem != .missing { notes.unreadFiles.append(UnreadFile(reason: error.description)) }
        continue
      }
      notes.longAnswers += try material.check(
        table, in: data.file(split), replies: .all, onProgress: onProgress)
    }
    return notes
  }

  var workflow: Workflow { material.workflow }

  /// The planned optimiser steps of all phases after `phase`, at most 2⁶⁰, so that they can be added to others.
  func steps(after phase: Phase) -> Int {
    let (options, schedule) = (workflow.trainingOptions, workflow.phaseSchedule)
    let size = workflow.tasks.count
    let round = schedule.prefix(size).map {
      options.stepCount(task: $0.task, samples: examples.episodes.count)
    }
    let laterRounds = schedule.count / size - 1 - phase.index / size
    let (steps, overflows) = round.reduce(0, +).multipliedReportingOverflow(by: laterRounds)
    let rest = round.dropFirst(phase.index % size + 1).reduce(0, +)
    let most = 1 << 60
    return overflows || steps > most - rest ? most : steps + rest
  }

  /// The training as a checkpoint has to match it.
  var resumed: ResumedTraining {
    ResumedTraining(
      schedule: workflow.phaseSchedule, options: workflow.trainingOptions, samples: examples.sampleCount,
      validationEpisodes: workflow.training.validateEvery == nil ? nil : examples.questions.count,
      usesPredictions: examples.usesPredictions, fresh: material.freshAdapter)
  }

  /// Where checkpoints are written and which run they belong to.
  func destination(_ folder: RunFolder) -> CheckpointDestination {
    CheckpointDestination(
      url: folder.checkpoint, workflow: workflowIdentity, model: material.modelIdentity)
  }
}

/// A run folder in which training may start or resume.
struct RunAdmission {
  let folder: RunFolder
  /// Prevents other processes from training the resumed run; `nil` for a new run.
  let lock: FileLock?
  /// Where to resume; `nil` to train from the start.
  let checkpoint: TrainingCheckpoint?
}

extension DatasetFolder {
  /// Reads a split of a workflow's data.
  ///
  /// - Throws: `EpisodeFileError`; the error of `onProgress`, after the file has been read.
  fileprivate func table(
    _ split: Split, for workflow: Workflow, _ onProgress: (DataPreparation) throws -> Void
  ) throws -> EpisodeTable {
    var failure: (any Error)?
    let table = try table(split, schema: workflow.episodeSchema) { done, all in
      guard failure == nil else { return }
      do { try onProgress(DataPreparation(.reading, file(split), done: done, all: all)) } catch {
        failure = error
      }
    }
    if let failure { throw failure }
    return table
  }
}

extension RunFolder {
  /// Checks that a run may start or resume here.
  ///
  /// - Throws: an error with the obstacle and the fix.
  func admit(_ preparation: RunPreparation, resume: Bool) throws -> RunAdmission {
    guard resume else {
      try refuseContents()
      return RunAdmission(folder: self, lock: nil, checkpoint: nil)
    }
    let manifest = try readManifest()
    // A job that restarts may meet the end of its last attempt.
    let lock = try FileLock(self.manifest, patience: .seconds(3))
    guard manifest.workflowIdentity == preparation.workflowIdentity else {
      throw Refusal(
        url.path,
        "is a run of another workflow, or with other settings" + difference(from: preparation.workflow),
        "resume it with its original workflow file and settings, or choose a new folder")
    }
    guard manifest.dataIdentity == preparation.dataIdentity else {
      throw Refusal(
        preparation.data.file(.train), "is not the data this run was started with",
        "restore it, or train into a new folder")
    }
    guard manifest.validationIdentity == nil || manifest.validationIdentity == preparation.validationIdentity
    else {
      throw Refusal(
        preparation.data.file(.valid), "is not the validation data this run was started with",
        "restore it, or train into a new folder")
    }
    try preparation.material.check(manifest)
    guard let found = try readCheckpoint(preparation.material, workflow: preparation.workflowIdentity) else {
      return RunAdmission(folder: self, lock: lock, checkpoint: nil)
    }
    if let contradiction = preparation.resumed.contradiction(of: found) {
      throw Refusal(
        checkpoint.path, contradiction, "restore it from a copy, or train again into a new folder")
    }
    return RunAdmission(folder: self, lock: lock, checkpoint: found)
  }

  /// Describes the first setting that differs from `other`.
  private func difference(from other: Workflow) -> String {
    guard let text = try? String(contentsOf: workflow, encoding: .utf8) else { return "" }
    let lines = zip(text.split(separator: "\n"), other.canonicalYAML().split(separator: "\n"))
    guard let (there, here) = lines.first(where: { $0 != $1 }) else { return "" }
    func words(_ line: Substring) -> String { line.drop(while: { $0 == " " || $0 == "-" }).description }
    return " (first difference: '\(words(there))' in the run, '\(words(here))' now)"
  }

  /// Removes the partial files of a run that was killed while writing.
  func removeLeftovers() {
    Leftovers.remove(in: url.path, isOurs: true)
  }

  /// Creates a new run's folder atomically.
  ///
  /// - Returns: the lock of the run.
  func create(_ preparation: RunPreparation, precision: String) throws -> FileLock {
    let manifest = RunFolder.Manifest(
      model: preparation.workflow.model, modelPath: preparation.material.modelPath.fromRoot,
      modelIdentity: preparation.material.modelIdentity,
      promptIdentity: preparation.material.promptIdentity, dataPath: preparation.workflow.dataFolder.fromRoot,
      workflowIdentity: preparation.workflowIdentity, dataIdentity: preparation.dataIdentity,
      validationIdentity: preparation.validationIdentity, precision: precision)
    do {
      return try AtomicFolder.write(to: url) { temporary in
        let folder = RunFolder(temporary.path)
        try AtomicFile.write(preparation.workflow.canonicalYAML(), to: folder.workflow)
        try folder.write(manifest)
        return try FileLock(folder.manifest)
      }
    } catch let error as FileError where error.kind == .exists && hasBegun {
      // It was empty when this training was admitted.
      throw Refusal(
        url.path, "is in use: another training has begun there",
        "wait until it has ended, or choose a new folder")
    }
  }
}

extension String {
  /// The absolute path, independent of the current folder.
  fileprivate var fromRoot: String { URL(fileURLWithPath: self).standardizedFileURL.path }
}

extension Workflow {
  /// Whether training uses validation episodes.
  var needsValidation: Bool { freezesFromGradients || training.validateEvery != nil }

  /// Whether columns freeze based on gradients on validation episodes.
  fileprivate var freezesFromGradients: Bool {
    if case .adaptive = training.frozenRatio { true } else { false }
  }

  /// The settings as options of the trainer.
  package var trainingOptions: TrainingOptions {
    var options = training.options
    for task in tasks {
      options.plannedStepsByTask[task.name] = task.steps
      options.maximumStepsByTask[task.name] = task.maxSteps
    }
    return options
  }
}

extension Workflow.Training {
  fileprivate var options: TrainingOptions {
    var options = TrainingOptions()
    options.epochs = epochs
    options.plannedSteps = steps
    options.maximumSteps = maxSteps
    options.validation = validateEvery.map {
      TrainingOptions.Validation(
        every: $0, patience: patience,
        budget: TrainingOptions.Budget(steps: budget.steps, tokens: budget.tokens, minutes: budget.minutes))
    }
    options.batchSize = batchSize
    options.microBatchTokens = microBatchTokens
    options.microBatchSamples = microBatchSamples
    options.learningRate = LearningRateSchedule(
      peak: learningRate, shape: LearningRateSchedule.Shape(rawValue: schedule.rawValue) ?? .constant,
      warmup: warmup, minimumRatio: minimumRateRatio, cooldown: cooldown)
    options.sharesRate = true
    options.adamW = AdamWSettings(
      beta1: beta1, beta2: beta2, epsilon: epsilon, weightDecay: weightDecay)
    options.clipNorm = clipNorm
    options.blockStart = blockStart
    options.staleness = staleness
    options.seed = UInt64(seed)
    options.checkpointEvery = checkpointEvery
    if case .adaptive(_, let tolerance) = frozenRatio {
      options.adaptiveFreezing = AdaptiveFreezing(tolerance: tolerance)
    }
    return options
  }
}
