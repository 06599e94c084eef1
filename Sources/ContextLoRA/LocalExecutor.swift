import Datasets
import Foundation
import LanguageModels
import TaskGraph
import Tensor

/// Runs optimiser steps in this process, with all layers.
package final class LocalExecutor: PhaseExecutor {
  private let model: LlamaModel
  private let schedule: PhaseSchedule
  private let samples: any WorkflowSamples
  private let options: TrainingOptions
  package private(set) var adapter: LoRAAdapter
  package private(set) var phase: Phase?
  private var state: State?
  /// `nil` if no answers are predicted.
  private var predicted: PredictedAnswers?

  /// The state of a phase in progress.
  private struct State {
    var trainer: PhaseTrainer
    /// The rows of the largest micro-batch expected.
    let rows: Int
    var history: History
    /// The prerequisites' validation losses when the phase began, for adaptive freezing.
    var lossesAtStart: [String: Double] = [:]
    /// The phase's best columns so far.
    var best: ColumnValues?
  }

  /// - Parameter answerer: predicts parents' answers; `nil` if the samples never use predicted ones.
  package init(
    _ model: LlamaModel, schedule: PhaseSchedule, adapter: LoRAAdapter, samples: any WorkflowSamples,
    answerer: (any TaskAnswerer)?, options: TrainingOptions
  ) {
    precondition(!samples.usesPredictions || answerer != nil, "LocalExecutor: nothing predicts answers")
    (self.model, self.schedule, self.adapter) = (model, schedule, adapter)
    (self.samples, self.options) = (samples, options)
    predicted = samples.usesPredictions ? answerer.map { PredictedAnswers(samples, $0, schedule) } : nil
  }

  package var leads: Bool { true }
  package var sampleCount: Int { samples.sampleCount }
  package var validation: (any ValidationEpisodes)? { samples.validation }
  package var longestWindow: Int { 1 }
  package var sharesColumns: Bool { false }

  package func share(_ checkpoint: TrainingCheckpoint?) -> TrainingCheckpoint? {
    if let checkpoint { adapter = checkpoint.adapter }
    return checkpoint
  }

  package func share(_ progress: PhaseProgress) -> PhaseProgress { progress }
  package func stops(atCheckpoint _: Bool, _ shouldStop: () -> Bool) -> Bool { shouldStop() }
  package func distribute(_: TrainingCheckpoint?, step _: Int) {}
  package func shareAdapter() {}
  package func start(_ phase: Phase) { adapter.startFromBase(phase, on: model.device) }

  // MARK: Steps

  package func withPhase<Result>(
    _ phase: Phase, from checkpoint: TrainingCheckpoint?, pace _: PhasePace,
    _ body: (_ bytes: Int) throws -> Result
  ) throws -> Result {
    let rows = options.microBatchRows(
      longest: try samples.longestSequence(phase.task), samples: samples.sampleCount)
    let validates = options.validation != nil && samples.validation != nil
    // Merge only if nothing else computes meanwhile: predictions, evidence for freezing, and the validation
    // of refined prerequisites use other columns than the phase's.
    let merges =
      !samples.usesPredictions && options.adaptiveFreezing == nil
      && (!validates || phase.refinedPrerequisites.isEmpty)
    // Its memory must be free before the next phase's is taken.
    defer { state = nil }
    return try model.stage.withMerged(phase.columnView, of: adapter, if: merges) { computed in
      let trainer = PhaseTrainer(
        model, adapter: adapter, columns: phase.columnView, options: options, rows: rows, computed: computed)
      begin(phase, trainer, rows: rows, from: checkpoint)
      return try body(trainer.byteCount)
    }
  }

  private func begin(_ phase: Phase, _ trainer: PhaseTrainer, rows: Int, from checkpoint: TrainingCheckpoint?)
  {
    var state = State(
      trainer: trainer, rows: rows, history: History(limit: samples.usesPredictions ? options.staleness : 0))
    if let checkpoint, let moments = checkpoint.optimizer {
      trainer.optimizerState = moments
      state.history.values = checkpoint.history
      state.lossesAtStart = checkpoint.position.lossesAtStart
      state.best = checkpoint.best.map {
        ColumnValues(columns: checkpoint.position.bestColumns ?? checkpoint.position.trainable, flat: $0)
      }
    }
    (self.state, self.phase) = (state, phase)
    predicted?.removeAll()
  }

  package func run(
    _ window: [StepSamples], pace: PhasePace, report: (StepOutcome) throws -> Void,
    onEvent: (TrainingEvent) throws -> Void
  ) throws {
    for batch in window {
      let start = ContinuousClock.now
      guard var state, let phase else { preconditionFailure("LocalExecutor: steps without a phase") }
      let sequences = try sequences(batch, phase, state)
      if let adaptive = options.adaptiveFreezing, batch.step % adaptive.interval == 0 {
        try freeze(adaptive, &state, phase, sequences, step: batch.step, onEvent)
      }
      state.history.record(state.trainer)
      self.state = state
      var outcome = try state.trainer.step(
        sequences, learningRate: options.rate(step: batch.step + 1, pace, of: self.phase ?? phase))
      outcome.seconds = (ContinuousClock.now - start) / .seconds(1)
      try report(outcome)
    }
  }

  /// A step's sequences, with predicted parents' answers in the samples that use them.
  private func sequences(_ batch: StepSamples, _ phase: Phase, _ state: State) throws -> [TokenSequence] {
    let hasParents = !schedule.graph.parents(of: phase.task).isEmpty
    let asked = batch.samples.filter {
      hasParents && samples.usesPredictions && samples.predicts($0, phase: phase.index, epoch: batch.epoch)
    }
    var texts: [Int: [String: String]] = [:]
    if !asked.isEmpty {
      let changed = phase.prerequisites.contains { !$0.trainable.isEmpty }
      texts =
        try predicted?.texts(for: phase.task, samples: asked, changed: changed) {
          state.history.adapter(adapter, state.trainer)
        } ?? [:]
    }
    return try batch.samples.map {
      try samples.sequence(phase.task, sample: $0, parentAnswers: texts[$0])
    }
  }

  // MARK: Validation

  package func score() throws -> ValidationScore? {
    guard let state, let phase else { return nil }
    return try score(phase.task, state.trainer.view)
  }

  package func scores(of tasks: [String]) throws -> [String: ValidationScore] {
    var scores: [String: ValidationScore] = [:]
    for task in tasks {
      scores[task] = try score(
        task, model.view(of: adapter, .inference(schedule.viewColumns(of: task))))
    }
    return scores
  }

  private func score(_ task: String, _ view: DeviceAdapter) throws -> ValidationScore? {
    guard let validation = samples.validation else { return nil }
    return validation.score(
      task: task, try Scorer(model).tokenScores(validation.questions(task: task), adapter: view))
  }

  package func keepBest() {
    guard let trainer = state?.trainer else { return }
    state?.best = ColumnValues(columns: trainer.columns.trainable, flat: trainer.parameters)
  }

  // MARK: Checkpoints

  package func gather(_ position: TrainingCheckpoint.Position) throws -> TrainingCheckpoint? {
    guard let state, let phase else { return nil }
    state.trainer.commit(to: &adapter)
    guard position.phase == phase.index else {
      // Write back columns that have frozen since, too: they trained in this phase until then.
      state.best?.write(to: &adapter)
      return TrainingCheckpoint(position: position, adapter: adapter, optimizer: nil, history: [])
    }
    var position = position
    (position.trainable, position.frozen) = (phase.columnView.trainable, phase.columnView.frozen)
    position.lossesAtStart = state.lossesAtStart
    position.bestColumns = state.best.flatMap { $0.columns == position.trainable ? nil : $0.columns }
    return TrainingCheckpoint(
      position: position, adapter: adapter, optimizer: state.trainer.optimizerState,
      history: state.history.values, best: state.best?.flat)
  }

  // MARK: Adaptive freezing

  private func freeze(
    _ adaptive: AdaptiveFreezing, _ state: inout State, _ phase: Phase, _ sequences: [TokenSequence],
    step: Int, _ onEvent: (TrainingEvent) throws -> Void
  ) throws {
    var current = adapter
    state.trainer.commit(to: &current)
    var heldBack: [String: [TokenSequence]] = [:]
    for prerequisite in phase.prerequisites where !prerequisite.trainable.isEmpty {
      heldBack[prerequisite.task] = try samples.validationSequences(prerequisite.task)
    }
    let decisions = try adaptive.decide(
      phase, step: step, start: state.lossesAtStart,
      AdaptiveFreezing.Evidence(
        model: model, schedule: schedule, adapter: current, child: sequences, heldBack: heldBack,
        microBatchTokens: options.microBatchTokens))
    guard decisions.allSatisfy(\.isFinite) else {
      throw TrainingError.diverged(task: phase.task, step: step)
    }
    for decision in decisions { state.lossesAtStart[decision.prerequisite] = decision.lossAtStart }
    let freezes = decisions.flatMap(\.freezes)
    var frozen = phase
    if !freezes.isEmpty {
      frozen = phase.freezing(phase.frozen + freezes)
      try narrow(&state, to: frozen)
      self.phase = frozen
    }
    if !decisions.isEmpty { try onEvent(.decided(decisions, phase: frozen)) }
  }

  /// Continues with fewer columns. Those that freeze keep their values.
  private func narrow(_ state: inout State, to phase: Phase) throws {
    let wide = state.trainer
    wide.commit(to: &adapter)
    let columns = phase.columnView
    let narrow = PhaseTrainer(
      model, adapter: adapter, columns: columns, options: options, rows: state.rows)
    func narrowed(_ values: [Float]) -> [Float] {
      wide.layout.narrowed(values, from: wide.columns.trainable, to: columns.trainable)
    }
    let old = wide.optimizerState
    narrow.optimizerState = ColumnOptimizer.State(
      firstMoment: narrowed(old.firstMoment), secondMoment: narrowed(old.secondMoment), step: old.step)
    state.history.values = state.history.values.map(narrowed)
    state.trainer = narrow
    // Some were predicted with columns of steps ago, and are not asked for again once nothing changes.
    predicted?.removeAll()
  }
}

extension WorkflowTrainer {
  /// A trainer in this process.
  package convenience init(
    _ model: LlamaModel, schedule: PhaseSchedule, adapter: LoRAAdapter, samples: any WorkflowSamples,
    answerer: (any TaskAnswerer)?, options: TrainingOptions
  ) {
    self.init(
      LocalExecutor(
        model, schedule: schedule, adapter: adapter, samples: samples, answerer: answerer, options: options),
      schedule: schedule, options: options)
  }
}

/// The trainable parameters of the last steps. Parents' answers are predicted with those of `limit` steps
/// ago, or with the oldest ones if fewer steps have been taken.
private struct History {
  let limit: Int
  /// Oldest first. While a step's answers are predicted, the last entry is that of the previous step.
  var values: [[Float]] = []

  init(limit: Int) { self.limit = limit }

  /// Records the parameters before the next step.
  mutating func record(_ trainer: PhaseTrainer) {
    guard limit > 0 else { return }
    values.append(trainer.parameters)
    if values.count > limit { values.removeFirst() }
  }

  /// `adapter` with the parameters that the next step predicts with.
  func adapter(_ adapter: LoRAAdapter, _ trainer: PhaseTrainer) -> LoRAAdapter {
    var result = adapter
    trainer.scatter(values.first ?? trainer.parameters, into: &result)
    return result
  }
}
