import Datasets
import Foundation
import LanguageModels
import TaskGraph

/// Where the trainer gets the sequences of a task from.
public protocol TrainingData: AnyObject {
  /// The samples of each task.
  var sampleCount: Int { get }
  /// The longest sequence expected of a task, in tokens.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func longestSequence(task: String) throws -> Int
  /// The sequences of some samples. `adapter` makes the parameters that parents' answers are predicted with;
  /// `parentsChange` says whether they differ from batch to batch of the phase.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func sequences(
    task: String, samples: [Int], phase: Int, epoch: Int, parentsChange: Bool, adapter: () -> LoRAAdapter
  ) throws -> [TokenSequence]
  /// Whether `sequences` ever asks for the adapter.
  var usesPredictions: Bool { get }
  /// Samples of a task that no phase trains on, for adaptive freezing.
  ///
  /// - Throws: what the data cannot be made into sequences for.
  func heldBack(task: String) throws -> [TokenSequence]
  /// What phases are validated on; asked for only where the options say that they are.
  var validation: (any ValidationEpisodes)? { get }
}

extension TrainingData {
  /// Nothing is validated.
  public var validation: (any ValidationEpisodes)? { nil }
}

/// What a training run tells while it runs.
public enum TrainingEvent: Sendable {
  /// A phase starts, or goes on at `step`; `bytes` is its planned memory.
  case phaseStarted(Phase, step: Int, steps: Int, bytes: Int)
  /// An optimiser step is done, and validated where that was due.
  case step(StepRecord)
  /// A checkpoint will be written now: what belongs to its steps should be on the disk before it is.
  case checkpointDue
  /// A phase fails, or has failed, in a way that no step shows.
  case warning(TrainingWarning, totalStep: Int)
  /// Columns were, or were not, frozen from gradient evidence; `phase` holds its columns from now on.
  case decided([FreezeDecision], phase: Phase)
  /// A phase is done.
  case phaseFinished(Phase)
  /// A checkpoint was written.
  case checkpoint(URL, TrainingCheckpoint.Position)
}

/// One line of the metrics.
public struct StepRecord: Sendable, Equatable, Codable {
  /// The phase, from 0.
  public var phase: Int
  /// The round, from 1.
  public var round: Int
  /// The task that trains.
  public var task: String
  /// The optimiser step within the phase, from 1.
  public var step: Int
  /// The optimiser step within the run, from 1.
  public var totalStep: Int
  /// Mean cross-entropy over the answer tokens, in nats.
  public var loss: Double
  /// Before clipping.
  public var gradientNorm: Double
  /// The rate of this step.
  public var learningRate: Double
  /// Tokens of the samples. What those of a micro-batch begin with in common is computed once.
  public var tokens: Int
  /// Tokens that carry loss.
  public var targets: Int
  /// Wall time of the step, predictions included.
  public var seconds: Double
  /// What the state after the step reaches on validation episodes, where that was due.
  public var validation: ValidationReport?

  /// Takes the figures.
  public init(
    phase: Int, round: Int, task: String, step: Int, totalStep: Int, loss: Double, gradientNorm: Double,
    learningRate: Double, tokens: Int, targets: Int, seconds: Double, validation: ValidationReport? = nil
  ) {
    self.validation = validation
    (self.phase, self.round, self.task) = (phase, round, task)
    (self.step, self.totalStep) = (step, totalStep)
    (self.loss, self.gradientNorm, self.learningRate) = (loss, gradientNorm, learningRate)
    (self.tokens, self.targets, self.seconds) = (tokens, targets, seconds)
  }
}

/// Trains the phases of a schedule one after the other.
public final class ContextLoRATrainer {
  /// The phases.
  public let schedule: PhaseSchedule
  /// How they train.
  public let options: TrainingOptions
  private let stage: LlamaStage
  private let data: any TrainingData
  /// All columns; those of the phase in progress as of its last checkpoint.
  public private(set) var adapter: LoRAAdapter
  private var totalSteps = 0

  /// Starts from an adapter of the stage's layers.
  public init(
    _ stage: LlamaStage, schedule: PhaseSchedule, adapter: LoRAAdapter, data: any TrainingData,
    options: TrainingOptions
  ) {
    self.stage = stage
    self.schedule = schedule
    self.adapter = adapter
    self.data = data
    self.options = options
  }

  /// Where checkpoints go and what they belong to.
  public struct Destination: Sendable {
    /// The file, replaced by each checkpoint.
    public var url: URL
    /// Identifies the workflow.
    public var workflow: String
    /// Identifies the base model.
    public var model: String

    /// Takes the parts as they are.
    public init(url: URL, workflow: String, model: String) {
      self.url = url
      self.workflow = workflow
      self.model = model
    }
  }

  /// Trains to the end, or until `shouldStop` says so after a step; then a checkpoint is written.
  ///
  /// While it runs, the stage's weights may hold frozen columns too; afterwards they are the model's own.
  ///
  /// - Returns: whether all phases are done.
  /// - Throws: what the data, the model's file or the disk throw. The last checkpoint stays as it is.
  public func run(
    from checkpoint: TrainingCheckpoint? = nil, to destination: Destination?,
    shouldStop: () -> Bool = { false }, onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    let isDone: Bool
    do {
      isDone = try trainPhases(from: checkpoint, to: destination, shouldStop: shouldStop, onEvent: onEvent)
    } catch {
      try? stage.fold(adapter, columns: [])
      throw error
    }
    try stage.fold(adapter, columns: [])
    return isDone
  }

  private func trainPhases(
    from checkpoint: TrainingCheckpoint?, to destination: Destination?, shouldStop: () -> Bool,
    onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    var resume = checkpoint
    if let checkpoint {
      adapter = checkpoint.adapter
      totalSteps = checkpoint.position.totalSteps
    }
    for index in (checkpoint?.position.phase ?? 0)..<max(schedule.count, checkpoint?.position.phase ?? 0) {
      let finished = try train(
        index, resume: resume?.optimizer == nil ? nil : resume, to: destination, shouldStop: shouldStop,
        onEvent: onEvent)
      resume = nil
      if !finished { return false }
    }
    return true
  }

  /// The phase's columns, chosen by importance where the schedule says so.
  private func resolve(_ index: Int, _ resume: TrainingCheckpoint?) throws -> Phase {
    try schedule[index].resolved(adapter, frozen: resume?.position.frozen)
  }

  private func train(
    _ index: Int, resume: TrainingCheckpoint?, to destination: Destination?, shouldStop: () -> Bool,
    onEvent: (TrainingEvent) throws -> Void
  ) throws -> Bool {
    var phase = try resolve(index, resume)
    let rows = options.microBatchRows(
      longest: try data.longestSequence(task: phase.task), samples: data.sampleCount)
    let validation = options.validation == nil ? nil : data.validation
    // Predictions, evidence for freezing, and the validation of refined prerequisites compute with other columns
    // than the phase's.
    let folds =
      !data.usesPredictions && options.adaptiveFreezing == nil
      && (validation == nil || phase.refinedPrerequisites.isEmpty)
    var trainer = try PhaseTrainer(
      stage, adapter: adapter, columns: phase.columnView, options: options, rows: rows, folds: folds)
    var cursor = DataCursor()
    var history = History(limit: data.usesPredictions ? options.staleness : 0)
    var lossesAtStart: [String: Double] = [:]
    var best: ColumnValues?
    var progress = PhaseProgress(
      options.pace(task: phase.task, samples: data.sampleCount),
      values: ColumnValues(of: Array(phase.block), in: adapter).flat)
    if let resume, let state = resume.optimizer {
      trainer.optimizerState = state
      cursor = DataCursor(epoch: resume.position.epoch, position: resume.position.sample)
      history.values = resume.history
      lossesAtStart = resume.position.lossesAtStart
      progress = resume.position.progress ?? progress
      best = resume.best.map {
        ColumnValues(columns: resume.position.bestColumns ?? resume.position.trainable, flat: $0)
      }
    } else if let validation {
      progress.prerequisites = try scores(of: phase.refinedPrerequisites, adapter, validation)
    }
    try onEvent(
      .phaseStarted(phase, step: trainer.stepCount, steps: progress.pace.end, bytes: trainer.byteCount))
    var stops = false
    while trainer.stepCount < progress.pace.end {
      let start = ContinuousClock.now
      let step = trainer.stepCount + 1
      let epoch = cursor.epoch
      let samples = cursor.take(options.batchSize, of: data.sampleCount, seed: options.seed(phase: index))
      let parentsChange = phase.prerequisites.contains { !$0.trainable.isEmpty }
      let sequences = try data.sequences(
        task: phase.task, samples: samples, phase: index, epoch: epoch, parentsChange: parentsChange
      ) { history.adapter(adapter, trainer) }
      if let adaptive = options.adaptiveFreezing, (step - 1) % adaptive.interval == 0 {
        let decisions = try decide(
          adaptive, phase, trainer, sequences, step: step - 1, start: lossesAtStart)
        for decision in decisions { lossesAtStart[decision.prerequisite] = decision.lossAtStart }
        let freezes = decisions.flatMap(\.freezes)
        if !freezes.isEmpty {
          phase = phase.freezing(phase.frozen + freezes)
          trainer = try narrowed(trainer, to: phase, rows: rows, &history)
        }
        if !decisions.isEmpty { try onEvent(.decided(decisions, phase: phase)) }
      }
      history.record(trainer)
      let rate = options.learningRate.rate(step: step, progress.pace)
      let result = try trainer.step(sequences, learningRate: rate)
      totalSteps += 1
      var record = StepRecord(
        phase: index, round: phase.round, task: phase.task, step: step, totalStep: totalSteps,
        loss: result.loss, gradientNorm: result.gradientNorm, learningRate: rate, tokens: result.tokens,
        targets: result.targets, seconds: (ContinuousClock.now - start).inSeconds)
      progress.spend(tokens: record.tokens, seconds: record.seconds, options)
      guard result.loss.isFinite, result.gradientNorm.isFinite else {
        try onEvent(.step(record))
        throw TrainingError.diverged(task: phase.task, step: step)
      }
      if let validation, progress.pace.isDue(step, options.validation) {
        let start = ContinuousClock.now
        let score = try score(phase.task, trainer.view, validation)
        let (report, warnings) = progress.record(
          score, task: phase.task, step: step, majority: validation.majority(task: phase.task),
          seconds: (ContinuousClock.now - start).inSeconds, options)
        if report.isBest {
          best = ColumnValues(columns: trainer.columns.trainable, flat: trainer.parameters)
        }
        record.validation = report
        for warning in warnings { try onEvent(.warning(warning, totalStep: totalSteps)) }
      }
      try onEvent(.step(record))
      let isOver = step >= progress.pace.end
      stops = shouldStop()
      if (stops || step % options.checkpointEvery == 0) && !isOver {
        trainer.commit(to: &adapter)
        try save(
          phase: index, trainer, cursor, phase.columnView, history.values, lossesAtStart, progress, best,
          to: destination, onEvent: onEvent)
        if stops { return false }
      }
    }
    trainer.commit(to: &adapter)
    // Columns that have frozen since go back with the others: they trained in this phase until then.
    best?.write(to: &adapter)
    for warning in try closing(phase, progress, validation) {
      try onEvent(.warning(warning, totalStep: totalSteps))
    }
    try save(phase: index + 1, nil, DataCursor(), nil, [], [:], nil, nil, to: destination, onEvent: onEvent)
    try onEvent(.phaseFinished(phase))
    return !stops || index + 1 == schedule.count
  }

  // MARK: Validation

  /// What the columns of a view reach on a task's validation episodes.
  private func score(_ task: String, _ view: AdapterView, _ validation: any ValidationEpisodes) throws
    -> ValidationScore
  {
    let scorer = Scorer(stage)
    return validation.score(
      task: task, try scorer.tokenScores(validation.questions(task: task), adapter: view))
  }

  /// What some tasks reach, each with its own columns.
  private func scores(
    of tasks: [String], _ adapter: LoRAAdapter, _ validation: any ValidationEpisodes
  ) throws -> [String: ValidationScore] {
    var scores: [String: ValidationScore] = [:]
    for task in tasks {
      let view = AdapterView(
        adapter, columns: .inference(schedule.viewColumns(of: task)), configuration: stage.configuration,
        device: stage.device)
      scores[task] = try score(task, view, validation)
    }
    return scores
  }

  /// The warnings about the columns that the phase leaves in the adapter: its best ones, as over ranks.
  private func closing(
    _ phase: Phase, _ progress: PhaseProgress, _ validation: (any ValidationEpisodes)?
  ) throws -> [TrainingWarning] {
    guard let validation else { return [] }
    return progress.closing(
      task: phase.task, values: ColumnValues(of: Array(phase.block), in: adapter).flat,
      majority: validation.majority(task: phase.task),
      prerequisites: try scores(of: progress.prerequisites.keys.sorted(), adapter, validation))
  }

  // MARK: Columns and checkpoints

  private func decide(
    _ adaptive: AdaptiveFreezing, _ phase: Phase, _ trainer: PhaseTrainer, _ sequences: [TokenSequence],
    step: Int, start: [String: Double]
  ) throws -> [FreezeDecision] {
    var current = adapter
    trainer.commit(to: &current)
    var heldBack: [String: [TokenSequence]] = [:]
    for prerequisite in phase.prerequisites where !prerequisite.trainable.isEmpty {
      heldBack[prerequisite.task] = try data.heldBack(task: prerequisite.task)
    }
    return try adaptive.decide(
      phase, step: step, start: start,
      AdaptiveFreezing.Evidence(
        stage: stage, schedule: schedule, adapter: current, child: sequences, heldBack: heldBack,
        microBatchTokens: options.microBatchTokens))
  }

  /// A trainer of fewer columns that goes on where `trainer` is. The columns that freeze keep their values.
  private func narrowed(
    _ trainer: PhaseTrainer, to phase: Phase, rows: Int, _ history: inout History
  ) throws -> PhaseTrainer {
    trainer.commit(to: &adapter)
    let columns = phase.columnView
    let narrow = try PhaseTrainer(
      stage, adapter: adapter, columns: columns, options: options, rows: rows)
    let old = trainer.optimizerState
    narrow.optimizerState = ColumnOptimizer.State(
      firstMoment: trainer.layout.narrowed(
        old.firstMoment, from: trainer.columns.trainable, to: columns.trainable),
      secondMoment: trainer.layout.narrowed(
        old.secondMoment, from: trainer.columns.trainable, to: columns.trainable), step: old.step)
    history.values = history.values.map {
      trainer.layout.narrowed($0, from: trainer.columns.trainable, to: columns.trainable)
    }
    return narrow
  }

  private func save(
    phase: Int, _ trainer: PhaseTrainer?, _ cursor: DataCursor, _ columns: ColumnView?, _ history: [[Float]],
    _ lossesAtStart: [String: Double], _ progress: PhaseProgress?, _ best: ColumnValues?,
    to destination: Destination?, onEvent: (TrainingEvent) throws -> Void
  ) throws {
    guard let destination else { return }
    try onEvent(.checkpointDue)
    let checkpoint = TrainingCheckpoint(
      position: TrainingCheckpoint.Position(
        phase: phase, step: trainer?.stepCount ?? 0, epoch: cursor.epoch, sample: cursor.position,
        trainable: columns?.trainable ?? [], frozen: columns?.frozen ?? [], totalSteps: totalSteps,
        lossesAtStart: lossesAtStart, progress: progress,
        bestColumns: best.flatMap { $0.columns == columns?.trainable ? nil : $0.columns },
        workflow: destination.workflow, model: destination.model),
      adapter: adapter, optimizer: trainer?.optimizerState, history: history, best: best?.flat)
    try checkpoint.write(to: destination.url)
    try onEvent(.checkpoint(destination.url, checkpoint.position))
  }
}

/// The trainable parameters of the last steps: parents' answers are predicted with those of `limit` steps
/// ago, or with the first where there are not so many.
private struct History {
  let limit: Int
  /// Oldest first; the last one is that of the step before.
  var values: [[Float]] = []

  init(limit: Int) { self.limit = limit }

  /// Keeps the parameters as they are before the step to come.
  mutating func record(_ trainer: PhaseTrainer) {
    guard limit > 0 else { return }
    values.append(trainer.parameters)
    if values.count > limit { values.removeFirst() }
  }

  /// `adapter` with the parameters that the step to come predicts with.
  func adapter(_ adapter: LoRAAdapter, _ trainer: PhaseTrainer) -> LoRAAdapter {
    var result = adapter
    trainer.scatter(values.first ?? trainer.parameters, into: &result)
    return result
  }
}

/// A training run that cannot go on.
public enum TrainingError: Error, Sendable, Equatable, CustomStringConvertible {
  /// The loss or the gradient is no longer a number.
  case diverged(task: String, step: Int)

  /// What is wrong, where, and what to do.
  public var description: String {
    switch self {
    case .diverged(let task, let step):
      "task '\(task)', step \(step): the loss or its gradient is not finite; lower training.learningRate or "
        + "set training.clipNorm, and train again into a new folder"
    }
  }
}

extension Duration {
  /// As seconds.
  public var inSeconds: Double {
    Double(components.seconds) + Double(components.attoseconds) * 1e-18
  }
}
