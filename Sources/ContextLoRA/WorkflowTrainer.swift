import Datasets
import Foundation
import LanguageModels
import TaskGraph

/// Trains the phases of a schedule in order. It decides which steps come next, when to validate, when a phase
/// ends, and when to write a checkpoint. The executor computes the steps.
package final class WorkflowTrainer {
  /// The phases.
  package let schedule: PhaseSchedule
  /// The options of every phase.
  package let options: TrainingOptions
  private let executor: any PhaseExecutor
  private var totalSteps = 0

  package init(_ executor: any PhaseExecutor, schedule: PhaseSchedule, options: TrainingOptions) {
    (self.executor, self.schedule, self.options) = (executor, schedule, options)
  }

  /// All columns as of the end of the last phase; on the leader, as of the last checkpoint.
  package var adapter: LoRAAdapter { executor.adapter }

  /// Trains to the end, or until `shouldStop` returns `true`; then a checkpoint is written.
  ///
  /// - Parameters:
  ///   - checkpoint: where to resume; the leader's is used.
  ///   - destination: where checkpoints are written; the leader's is used.
  ///   - shouldStop: called on the leader after steps, or at checkpoints if several ranks train.
  ///   - onEvent: called on the leader.
  /// - Returns: whether all phases are done.
  /// - Throws: the errors of the data, the model's file, the disk and the transport, and `TrainingError`. The
  ///   last checkpoint is then kept.
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
      if within == nil, phase.round == 1, options.blockStart == .base { executor.start(phase) }
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

/// A phase in progress.
private struct PhaseRun {
  let index: Int
  let phase: Phase
  let executor: any PhaseExecutor
  let options: TrainingOptions
  let destination: CheckpointDestination?
  let validation: (any ValidationEpisodes)?
  /// The prerequisites with columns that the phase refines, if they are validated.
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

  /// - Returns: whether training continues with the next phase.
  mutating func train(
    isLast: Bool, resume: TrainingCheckpoint?, shouldStop: () -> Bool, onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    let end = try executor.withPhase(phase, from: resume, pace: progress.pace) { bytes in
      try train(bytes: bytes, isLast: isLast, resume: resume, shouldStop: shouldStop, onEvent: onEvent)
    }
    // Within the phase, frozen columns may be part of the weights: whoever answers with the model would count them twice.
    if let finished = end.finished, executor.leads { try onEvent(.phaseFinished(finished)) }
    return end.continues
  }

  /// - Returns: the phase if all its steps are taken, and whether training continues with the next one.
  private mutating func train(
    bytes: Int, isLast: Bool, resume: TrainingCheckpoint?, shouldStop: () -> Bool,
    onEvent: (TrainingEvent) throws -> Void
  ) throws -> (finished: Phase?, continues: Bool) {
    if resume == nil, validation != nil { try validateStart() }
    if executor.leads {
      try onEvent(.phaseStarted(phase, step: step, steps: progress.pace.end, bytes: bytes))
    }
    while true {
      if !isOver { try runWindow(onEvent) }
      let isCheckpoint = isOver || step % options.checkpointEvery == 0
      let stops = isOver && isLast ? false : try executor.stops(atCheckpoint: isCheckpoint, shouldStop)
      // Between checkpoints, only the validation was due.
      guard isCheckpoint || stops || executor.sharesColumns else { continue }
      let checkpoint = try executor.gather(position)
      // The losses are those before the last step.
      if let checkpoint, !checkpoint.adapter.isFinite {
        throw TrainingError.diverged(task: phase.task, step: step)
      }
      if isOver { try close(onEvent) }
      if isCheckpoint || stops { try write(checkpoint, onEvent) }
      if stops || isOver { return (isOver ? executor.phase ?? phase : nil, !stops) }
      try executor.distribute(checkpoint, step: step)
    }
  }

  /// Scores what the phase starts from: the prerequisites that it refines, and its own columns if an earlier
  /// round has trained them. They are the best state until a later one is better.
  private mutating func validateStart() throws {
    progress.prerequisites = try executor.scores(of: refined).filter(\.value.loss.isFinite)
    guard phase.round > 1 else { return }
    if let score = try executor.score(), score.loss.isFinite { progress.start(from: score) }
    progress = try executor.share(progress)
    if progress.pace.best != nil { executor.keepBest() }
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
    // The record of a validated step is held until its score is known.
    var held: StepRecord?
    let taken = totalSteps
    try executor.run(
      window, pace: progress.pace,
      report: { outcome in
        let record = record(outcome)
        guard record.loss.isFinite, record.gradientNorm.isFinite else {
          try onEvent(.step(record))
          throw record.totalStep == 1
            ? TrainingError.modelNotFinite(task: phase.task)
            : .diverged(task: phase.task, step: record.step)
        }
        progress.spend(tokens: record.tokens, seconds: record.seconds, options)
        if isDue, record.step == end { held = record } else { try onEvent(.step(record)) }
      }, onEvent: onEvent)
    totalSteps = taken + window.count
    step = end
    if isDue, let validation {
      let start = ContinuousClock.now
      if let score = try executor.score() {
        guard score.loss.isFinite else { throw TrainingError.diverged(task: phase.task, step: step) }
        let (report, warnings) = progress.record(
          score, task: phase.task, step: step, majority: validation.majority(task: phase.task),
          seconds: (ContinuousClock.now - start) / .seconds(1), options)
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
      learningRate: options.rate(step: outcome.step + 1, progress.pace, of: executor.phase ?? phase),
      tokens: outcome.tokens,
      targets: outcome.targets, seconds: outcome.seconds)
  }

  /// Ends the phase, with warnings about its final columns.
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

  /// The run's position in its schedule. The executor fills in the columns.
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
