import Datasets
import Foundation
import LanguageModels
import TaskGraph

/// Trains the phases of a schedule one after the other: which steps come next, when they are validated, when a phase is
/// over, when a checkpoint is written. How the steps are computed is the executor's.
package final class WorkflowTrainer {
  /// The phases.
  package let schedule: PhaseSchedule
  /// How they train.
  package let options: TrainingOptions
  private let executor: any PhaseExecutor
  private var totalSteps = 0

  package init(_ executor: any PhaseExecutor, schedule: PhaseSchedule, options: TrainingOptions) {
    (self.executor, self.schedule, self.options) = (executor, schedule, options)
  }

  /// All columns, as of the last phase's end; where this process leads, as of the last checkpoint.
  package var adapter: LoRAAdapter { executor.adapter }

  /// Trains to the end, or until `shouldStop` says so; then a checkpoint is written.
  ///
  /// - Parameters:
  ///   - checkpoint: where to continue; the leader's counts.
  ///   - destination: where checkpoints go; the leader's counts.
  ///   - shouldStop: asked of the leader after steps, or at checkpoints where several ranks train.
  ///   - onEvent: called on the leader.
  /// - Returns: whether all phases are done.
  /// - Throws: what the data, the model's file, the disk or the transport throw, and `TrainingError`. The last checkpoint
  ///   stays as it is.
  package func run(
    from checkpoint: TrainingCheckpoint? = nil, to destination: CheckpointDestination?,
    shouldStop: () -> Bool = { false }, onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    var resume = try executor.share(checkpoint)
    totalSteps = resume?.position.totalSteps ?? 0
    let first = resume?.position.phase ?? 0
    for index in first..<max(schedule.count, first) {
      let within = resume?.optimizer == nil ? nil : resume
      let phase = try schedule[index].resolved(executor.adapter, frozen: within?.position.frozen)
      var run = PhaseRun(phase, executor, options, destination, totalSteps: totalSteps, resume: within)
      let isFinished = try run.train(
        isLast: index + 1 == schedule.count, resume: within, shouldStop: shouldStop, onEvent: onEvent)
      totalSteps = run.totalSteps
      resume = nil
      if !isFinished { return false }
    }
    return true
  }
}

/// One phase on its way.
private struct PhaseRun {
  let index: Int
  let phase: Phase
  let executor: any PhaseExecutor
  let options: TrainingOptions
  let destination: CheckpointDestination?
  let validation: (any ValidationEpisodes)?
  /// The prerequisites whose columns the phase refines, if validation watches them.
  let refined: [String]
  var totalSteps: Int
  var progress: PhaseProgress
  var cursor = DataCursor()
  /// Optimiser steps taken.
  var step = 0

  init(
    _ phase: Phase, _ executor: any PhaseExecutor, _ options: TrainingOptions,
    _ destination: CheckpointDestination?, totalSteps: Int, resume: TrainingCheckpoint?
  ) {
    (index, self.phase, self.executor, self.options) = (phase.index, phase, executor, options)
    (self.destination, self.totalSteps) = (destination, totalSteps)
    validation = options.validation == nil ? nil : executor.validation
    let known = resume?.position.progress
    refined = validation == nil ? [] : known?.prerequisites.keys.sorted() ?? phase.refinedPrerequisites
    progress =
      known
      ?? PhaseProgress(
        options.pace(task: phase.task, samples: executor.sampleCount),
        values: ColumnValues(of: Array(phase.block), in: executor.adapter).flat)
    if let resume {
      cursor = DataCursor(epoch: resume.position.epoch, position: resume.position.sample)
      step = resume.optimizer?.step ?? 0
    }
  }

  private var isOver: Bool { step >= progress.pace.end }

  /// - Returns: whether the training goes on to the next phase.
  mutating func train(
    isLast: Bool, resume: TrainingCheckpoint?, shouldStop: () -> Bool, onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    try executor.withPhase(phase, from: resume, pace: progress.pace) { bytes in
      try train(bytes: bytes, isLast: isLast, resume: resume, shouldStop: shouldStop, onEvent: onEvent)
    }
  }

  private mutating func train(
    bytes: Int, isLast: Bool, resume: TrainingCheckpoint?, shouldStop: () -> Bool,
    onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    if resume == nil, validation != nil { progress.prerequisites = try executor.scores(of: refined) }
    if executor.leads {
      try onEvent(.phaseStarted(phase, step: step, steps: progress.pace.end, bytes: bytes))
    }
    while true {
      if !isOver { try runWindow(onEvent) }
      let isCheckpoint = isOver || step % options.checkpointEvery == 0
      let stops = isOver && isLast ? false : try executor.stops(atCheckpoint: isCheckpoint, shouldStop)
      // Between checkpoints only the validation was due.
      guard isCheckpoint || stops || executor.sharesColumns else { continue }
      let checkpoint = try executor.gather(position)
      if isOver { try close(onEvent) }
      if isCheckpoint || stops { try write(checkpoint, onEvent) }
      if stops || isOver {
        if isOver, executor.leads { try onEvent(.phaseFinished(executor.phase ?? phase)) }
        return !stops
      }
      try executor.distribute(checkpoint, step: step)
    }
  }

  /// Takes the steps up to the next validation or checkpoint, and validates if that is due.
  private mutating func runWindow(_ onEvent: (TrainingEvent) throws -> Void) throws {
    let end = min(
      progress.pace.nextStop(after: step, options.validation),
      (step / options.checkpointEvery + 1) * options.checkpointEvery, step + executor.longestWindow)
    let isDue = validation != nil && progress.pace.isDue(end, options.validation)
    let window = (step..<end).map { step in
      let epoch = cursor.epoch
      return StepSamples(
        step: step, epoch: epoch,
        samples: cursor.take(options.batchSize, of: executor.sampleCount, seed: options.seed(phase: index)))
    }
    // The record of a step that is validated waits for its score.
    var held: StepRecord?
    let taken = totalSteps
    try executor.run(
      window, pace: progress.pace,
      report: { outcome in
        let record = record(outcome)
        guard record.loss.isFinite, record.gradientNorm.isFinite else {
          try onEvent(.step(record))
          throw TrainingError.diverged(task: phase.task, step: record.step)
        }
        progress.spend(tokens: record.tokens, seconds: record.seconds, options)
        if isDue, record.step == end { held = record } else { try onEvent(.step(record)) }
      }, onEvent: onEvent)
    totalSteps = taken + window.count
    step = end
    if isDue, let validation {
      let start = ContinuousClock.now
      if let score = try executor.score() {
        let (report, warnings) = progress.record(
          score, task: phase.task, step: step, majority: validation.majority(task: phase.task),
          seconds: (ContinuousClock.now - start).inSeconds, options)
        for warning in warnings { try onEvent(.warning(warning, totalStep: totalSteps)) }
        held?.validation = report
      }
      progress = try executor.share(progress)
      if progress.pace.best?.step == step { executor.keepBest() }
    }
    if let held { try onEvent(.step(held)) }
  }

  private mutating func record(_ outcome: StepOutcome) -> StepRecord {
    totalSteps += 1
    return StepRecord(
      phase: index, round: phase.round, task: phase.task, step: outcome.step + 1, totalStep: totalSteps,
      loss: outcome.loss, gradientNorm: outcome.gradientNorm,
      learningRate: options.learningRate.rate(step: outcome.step + 1, progress.pace), tokens: outcome.tokens,
      targets: outcome.targets, seconds: outcome.seconds)
  }

  /// Ends the phase, with the warnings about the columns that it leaves.
  private func close(_ onEvent: (TrainingEvent) throws -> Void) throws {
    try executor.shareAdapter()
    guard let validation else { return }
    let after = try executor.scores(of: refined)
    guard executor.leads else { return }
    let values = ColumnValues(of: Array(phase.block), in: executor.adapter).flat
    for warning in progress.closing(
      task: phase.task, values: values, majority: validation.majority(task: phase.task), prerequisites: after)
    {
      try onEvent(.warning(warning, totalStep: totalSteps))
    }
  }

  /// Where the run is. The executor fills in the columns.
  private var position: TrainingCheckpoint.Position {
    TrainingCheckpoint.Position(
      phase: isOver ? index + 1 : index, step: isOver ? 0 : step, epoch: isOver ? 0 : cursor.epoch,
      sample: isOver ? 0 : cursor.position, trainable: [], frozen: [], totalSteps: totalSteps,
      lossesAtStart: [:], progress: isOver ? nil : progress, workflow: destination?.workflow ?? "",
      model: destination?.model ?? "")
  }

  private func write(
    _ checkpoint: TrainingCheckpoint?, _ onEvent: (TrainingEvent) throws -> Void
  ) throws {
    guard let checkpoint, let destination else { return }
    try onEvent(.checkpointDue)
    try checkpoint.write(to: destination.url)
    try onEvent(.checkpoint(destination.url, checkpoint.position))
  }
}
