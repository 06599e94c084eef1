import ContextGear
import ContextLoRA
import Foundation
import LanguageModels
import TaskGraph
import Tensor
import Transport

/// Trains a workflow's phases over the ranks of a job, each phase by its plan.
///
/// Every rank calls `run`. Between checkpoints ("a window") the ranks of a phase do their operations of its
/// schedule; at its end rank 0 has the whole checkpoint. All ranks keep the whole adapter as of the phase's
/// start, so that each phase may cut the model elsewhere.
public final class ClusterTrainer {
  /// The phases.
  public let schedule: PhaseSchedule
  /// How they train.
  public let options: TrainingOptions
  private let link: StageLink
  private let plans: [String: Plan]
  private let samples: any WorkflowSamples
  private let loadStage: (Range<Int>, FrozenUse) throws -> LlamaStage
  private let shape: ModelShape
  /// All columns of all layers, as of the last phase's end; on rank 0 as of the last checkpoint.
  public private(set) var adapter: LoRAAdapter
  private var totalSteps = 0
  private var loaded: (stage: LlamaStage, use: FrozenUse)?

  /// - Parameters:
  ///   - plans: by task; their devices are the ranks.
  ///   - shape: the model's sizes, as the plans were made with.
  ///   - adapter: of all layers.
  ///   - loadStage: loads a range of layers for a use.
  /// - Precondition: there is a plan for each task, and frozen columns are not chosen from gradients.
  public init(
    _ link: StageLink, schedule: PhaseSchedule, plans: [String: Plan], shape: ModelShape,
    adapter: LoRAAdapter, samples: any WorkflowSamples, options: TrainingOptions,
    loadStage: @escaping (Range<Int>, FrozenUse) throws -> LlamaStage
  ) {
    precondition(options.adaptiveFreezing == nil, "adaptive freezing needs all layers in one process")
    (self.link, self.schedule, self.plans, self.shape) = (link, schedule, plans, shape)
    (self.adapter, self.samples, self.options, self.loadStage) = (adapter, samples, options, loadStage)
  }

  /// Optimiser steps whose operations are laid out at once, however far checkpoints lie apart.
  private static let longestWindow = 256

  private var rank: Int { link.transport.rank }
  private var writes: Bool { rank == 0 }

  /// Trains to the end, or until rank 0's `shouldStop` says so after a checkpoint.
  ///
  /// - Parameters:
  ///   - checkpoint: where to go on; looked at on rank 0 only.
  ///   - destination: where checkpoints go; looked at on rank 0 only.
  ///   - onEvent: is called on rank 0.
  ///   - onWindow: is called on every rank that had work with what it did in a window.
  /// - Returns: whether all phases are done.
  /// - Throws: the transport's errors, and what the data, the model's file or the disk throw.
  public func run(
    from checkpoint: TrainingCheckpoint? = nil, to destination: ContextLoRATrainer.Destination?,
    shouldStop: () -> Bool = { false }, onEvent: (TrainingEvent) throws -> Void,
    onWindow: (WindowFigures) throws -> Void = { _ in }
  ) throws -> Bool {
    var resume = try share(checkpoint)
    if let resume {
      adapter = resume.adapter
      totalSteps = resume.position.totalSteps
    }
    for index in (resume?.position.phase ?? 0)..<max(schedule.count, resume?.position.phase ?? 0) {
      let done = try train(
        index, resume: resume?.optimizer == nil ? nil : resume, to: destination, shouldStop: shouldStop,
        onEvent: onEvent, onWindow: onWindow)
      resume = nil
      if !done { return false }
    }
    return true
  }

  /// Rank 0's checkpoint on every rank.
  private func share(_ checkpoint: TrainingCheckpoint?) throws -> TrainingCheckpoint? {
    let own = writes ? try checkpoint.map { try CheckpointMessage.bytes($0) } ?? [] : []
    let bytes = try link.transport.broadcast(own, seconds: link.deadline)
    return bytes.isEmpty ? nil : try CheckpointMessage.checkpoint(bytes, sites: adapter.sites)
  }

  // MARK: A phase

  private func train(
    _ index: Int, resume: TrainingCheckpoint?, to destination: ContextLoRATrainer.Destination?,
    shouldStop: () -> Bool, onEvent: (TrainingEvent) throws -> Void, onWindow: (WindowFigures) throws -> Void
  ) throws -> Bool {
    let phase = try schedule[index].resolved(adapter, frozen: resume?.position.frozen)
    let work = try self.work(phase)
    let validation = options.validation == nil ? nil : samples.validation
    var progress =
      resume?.position.progress
      ?? PhaseProgress(
        options.pace(task: phase.task, samples: samples.sampleCount),
        values: ColumnValues(of: Array(phase.block), in: adapter).flat)
    let runner = try runner(work, resume, pace: progress.pace, validates: validation != nil)
    let leader = work.root.trained[0].device
    var cursor = DataCursorPosition(resume)
    var step = resume?.optimizer?.step ?? 0
    let refined = validation == nil ? [] : phase.refinedPrerequisites
    if resume == nil, let validation {
      progress.prerequisites = try scores(of: refined, work, runner, validation)
    }
    if writes {
      try onEvent(
        .phaseStarted(phase, step: step, steps: progress.pace.end, bytes: runner?.byteCount ?? 0))
    }
    while step < progress.pace.end {
      let end = min(
        progress.pace.nextStop(after: step, options.validation),
        (step / options.checkpointEvery + 1) * options.checkpointEvery, step + Self.longestWindow)
      let isDue = validation != nil && progress.pace.isDue(end, options.validation)
      let window = cursor.take(step..<end, samples: samples.sampleCount, phase: index, options)
      // The record of a step that is validated waits for its score.
      var held: StepRecord?
      func report(_ figures: StepFigures) throws {
        let record = try self.record(figures, phase, progress.pace)
        progress.spend(tokens: record.tokens, seconds: record.seconds, options)
        if isDue, record.step == end { held = record } else { try onEvent(.step(record)) }
      }
      runner?.pace = progress.pace
      var reports = writes && rank != leader ? StepReports(link, from: leader, count: window.count) : nil
      if let runner {
        let schedule = plan(work, steps: window.count)
        if let place = schedule.stages.firstIndex(where: { $0.device == rank }) {
          var sends: [Transfer] = []
          let start = ContinuousClock.now
          try runner.run(schedule.operations(of: place), window: window) { figures in
            guard rank == leader else { return }
            if writes {
              try report(figures)
            } else {
              sends.append(StepReports.send(figures, link))
            }
          }
          for send in sends { try send.wait(seconds: link.deadline) }
          try onWindow(
            WindowFigures(
              task: phase.task, trains: runner.trainer != nil, layers: runner.stage.layers,
              steps: window.count, bytes: runner.figures.bytes, computing: runner.figures.computing,
              seconds: (ContinuousClock.now - start).inSeconds))
        }
      }
      for figures in try reports?.take(all: true) ?? [] { try report(figures) }
      reports = nil
      totalSteps += writes ? 0 : window.count
      step = end
      if isDue, let validation {
        let start = ContinuousClock.now
        let score = try score(
          phase.task, work, runner, runner?.trainer?.view, validation)
        if let score {
          let (report, warnings) = progress.record(
            score, task: phase.task, step: step, majority: validation.majority(task: phase.task),
            seconds: (ContinuousClock.now - start).inSeconds, options)
          for warning in warnings { try onEvent(.warning(warning, totalStep: totalSteps)) }
          held?.validation = report
        }
        progress = try share(progress)
        if progress.pace.best?.step == step, let trainer = runner?.trainer {
          runner?.best = trainer.parameters
        }
      }
      if let held { try onEvent(.step(held)) }
      let isOver = step >= progress.pace.end
      let isCheckpoint = isOver || step % options.checkpointEvery == 0
      // Between checkpoints only the validation was due; the next window's predictions may need columns all the same.
      if !isCheckpoint, work.refined.isEmpty { continue }
      let whole = try collect(
        work, runner,
        position: position(isOver ? index + 1 : index, step, cursor, phase, progress, destination, isOver))
      if let whole { adapter = whole.adapter }
      if isOver {
        try shareAdapter(phase)
        if let validation {
          let after = try scores(of: refined, work, runner, validation)
          if writes {
            let values = ColumnValues(of: Array(phase.block), in: adapter).flat
            for warning in progress.closing(
              task: phase.task, values: values, majority: validation.majority(task: phase.task),
              prerequisites: after)
            {
              try onEvent(.warning(warning, totalStep: totalSteps))
            }
          }
        }
      }
      if let whole, let destination, isCheckpoint {
        try onEvent(.checkpointDue)
        try whole.write(to: destination.url)
        try onEvent(.checkpoint(destination.url, whole.position))
      }
      if isCheckpoint, !isOver || index + 1 < schedule.count {
        let stop = try link.transport.broadcast([writes && shouldStop() ? 1 : 0], seconds: link.deadline)
        if stop == [1] {
          if isOver, writes { try onEvent(.phaseFinished(phase)) }
          return false
        }
      }
      if isOver { break }
      try shareColumns(work, runner, whole, step: step)
    }
    if writes { try onEvent(.phaseFinished(phase)) }
    return true
  }

  private func record(_ figures: StepFigures, _ phase: Phase, _ pace: PhasePace) throws -> StepRecord {
    totalSteps += 1
    let record = StepRecord(
      phase: phase.index, round: phase.round, task: phase.task, step: figures.step + 1,
      totalStep: totalSteps, loss: figures.loss / Double(max(figures.targets, 1)),
      gradientNorm: figures.norm,
      learningRate: options.learningRate.rate(step: figures.step + 1, pace),
      tokens: figures.tokens, targets: figures.targets, seconds: figures.seconds)
    guard record.loss.isFinite, record.gradientNorm.isFinite else {
      throw TrainingError.diverged(task: phase.task, step: record.step)
    }
    return record
  }

  private func work(_ phase: Phase) throws -> PhaseWork {
    guard let plan = plans[phase.task] else { preconditionFailure("no plan for task '\(phase.task)'") }
    return PhaseWork(
      phase: phase, plan: plan,
      passes: samples.passes(of: phase.task).map { ($0, schedule.viewColumns(of: $0)) }, options: options)
  }

  /// The phase's schedule over some steps.
  private func plan(_ work: PhaseWork, steps: Int) -> Schedule {
    let pass = Workload.Pass(task: "", tokens: 1, labels: 1)
    let workload = Workload(
      forwardOnly: work.passes.map { _ in pass }, trained: pass, samples: options.batchSize,
      trainedColumns: work.phase.trainable.count, refinedColumns: work.refined.count,
      staleness: options.staleness)
    return Schedule(
      work.plan, workload: workload, shape: shape, deviceCount: link.transport.size, steps: steps)
  }

  /// This rank's part of the phase; `nil` where it has none.
  private func runner(
    _ work: PhaseWork, _ resume: TrainingCheckpoint?, pace: PhasePace, validates: Bool
  ) throws -> StageRunner? {
    guard let index = work.pipelineIndex(of: rank) else { return nil }
    let pipeline = work.plan.pipelines[index]
    let trained = pipeline.trained.firstIndex { $0.device == rank }
    let forward = pipeline.forward.firstIndex { $0.device == rank }
    guard let place = trained ?? forward else { return nil }
    let trains = trained != nil
    let layers = (trains ? pipeline.trained : pipeline.forward)[place].layers
    let stage = try stage(layers, trains ? .forwardAndBackward : .forward)
    let sites = adapter.sites.filter { layers.contains($0.layer) }
    // As one process does: where nothing else is computed meanwhile.
    let columns = try stage.folding(
      work.phase.columnView, of: adapter.part(sites),
      folds: trains && work.passes.isEmpty && !(validates && !work.phase.refinedPrerequisites.isEmpty))
    let runner = try StageRunner(
      link, work: work, stage: stage, adapter: adapter.part(sites), columns: columns,
      allSites: adapter.sites, trains: trains, place: place, samples: samples,
      pace: pace)
    let part = resume.map { $0.part(of: sites) }
    if let part, let state = part.optimizer {
      runner.trainer?.state = state
      runner.history = part.history
      runner.best = part.best
    }
    recordColumns(
      runner, adapter: adapter.part(sites), history: part?.history ?? [], step: part?.optimizer?.step ?? 0)
    return runner
  }

  private func stage(_ layers: Range<Int>, _ use: FrozenUse) throws -> LlamaStage {
    if let loaded, loaded.stage.layers == layers, loaded.use == use || use == .forward { return loaded.stage }
    // The old weights go before the new ones come.
    loaded = nil
    let stage = try loadStage(layers, use)
    loaded = (stage, use)
    return stage
  }

  /// Notes the refined columns that the next steps predict with: now, and `history` steps ago.
  private func recordColumns(
    _ runner: StageRunner, adapter: LoRAAdapter, history: [[Float]], step: Int
  ) {
    let refined = runner.work.refined
    guard !refined.isEmpty else { return }
    let trainable = runner.work.phase.trainable
    let all = TrainableLayout(sites: adapter.sites, columns: trainable.count)
    for (back, values) in history.reversed().enumerated() {
      runner.refined.record(
        all.narrowed(values, from: trainable, to: refined), before: step - 1 - back)
    }
    runner.refined.record(runner.refined.layout.gather(adapter, columns: refined), before: step)
  }

  // MARK: Validation

  /// What a task reaches on its validation episodes with the columns of `view`; on rank 0, `nil` elsewhere.
  private func score(
    _ task: String, _ work: PhaseWork, _ runner: StageRunner?, _ view: AdapterView?,
    _ validation: any ValidationEpisodes
  ) throws -> ValidationScore? {
    let tag = StageLink.Control.score.tag
    var own: ValidationScore?
    if let runner, runner.validates, let view,
      let scores = try runner.scores(try validation.questions(task: task), adapter: view)
    {
      own = validation.score(task: task, scores)
    }
    let last = work.root.trained[work.root.trained.count - 1].device
    if let own, rank != 0 {
      let values = [own.loss, Double(own.correct), Double(own.count)]
      try link.transport.sendCounted(Plain.bytes(values), to: 0, tag: tag, seconds: link.deadline)
    }
    guard writes, last != 0 else { return writes ? own : nil }
    let values = Plain.values(
      try link.transport.receiveCounted(from: last, tag: tag, seconds: link.deadline), as: Double.self)
    return ValidationScore(loss: values[0], correct: Int(values[1]), count: Int(values[2]))
  }

  /// What some tasks reach, each with its own columns as of now; on rank 0, empty elsewhere.
  private func scores(
    of tasks: [String], _ work: PhaseWork, _ runner: StageRunner?, _ validation: any ValidationEpisodes
  ) throws -> [String: ValidationScore] {
    var scores: [String: ValidationScore] = [:]
    for task in tasks {
      let view = runner.flatMap { runner in
        runner.validates
          ? AdapterView(
            adapter.part(runner.adapter.sites), columns: .inference(schedule.viewColumns(of: task)),
            configuration: runner.stage.configuration, device: runner.stage.device) : nil
      }
      scores[task] = try score(task, work, runner, view, validation)
    }
    return scores
  }

  /// Rank 0's progress on every rank.
  private func share(_ progress: PhaseProgress) throws -> PhaseProgress {
    let own = writes ? Array(try JSONEncoder().encode(progress)) : []
    let bytes = try link.transport.broadcast(own, seconds: link.deadline)
    return try JSONDecoder().decode(PhaseProgress.self, from: Data(bytes))
  }

  // MARK: Between windows

  private func position(
    _ phase: Int, _ step: Int, _ cursor: DataCursorPosition, _ columns: Phase, _ progress: PhaseProgress,
    _ destination: ContextLoRATrainer.Destination?, _ isOver: Bool
  ) -> TrainingCheckpoint.Position {
    TrainingCheckpoint.Position(
      phase: phase, step: isOver ? 0 : step, epoch: isOver ? 0 : cursor.epoch,
      sample: isOver ? 0 : cursor.sample, trainable: isOver ? [] : columns.columnView.trainable,
      frozen: isOver ? [] : columns.columnView.frozen, totalSteps: totalSteps, lossesAtStart: [:],
      progress: isOver ? nil : progress,
      workflow: destination?.workflow ?? "", model: destination?.model ?? "")
  }

  /// Every stage's part on rank 0, as a whole; `nil` elsewhere.
  private func collect(
    _ work: PhaseWork, _ runner: StageRunner?, position: TrainingCheckpoint.Position
  ) throws -> TrainingCheckpoint? {
    var own: TrainingCheckpoint?
    // The replicas' stages hold the same as the root's.
    if let runner, let trainer = runner.trainer, runner.pipelineIndex == 0 {
      var part = runner.adapter
      trainer.commit(to: &part)
      let isOver = position.trainable.isEmpty
      if isOver, let best = runner.best { trainer.scatter(best, into: &part) }
      own = TrainingCheckpoint(
        position: position, adapter: part, optimizer: isOver ? nil : trainer.state,
        history: isOver ? [] : runner.history, best: isOver ? nil : runner.best)
    }
    let tag = StageLink.Control.checkpoint.tag
    guard writes else {
      if let own {
        try link.transport.sendCounted(
          try CheckpointMessage.bytes(own), to: 0, tag: tag, seconds: link.deadline)
      }
      return nil
    }
    let parts = try work.root.trained.map { stage in
      if stage.device == 0, let own { return own }
      let bytes = try link.transport.receiveCounted(from: stage.device, tag: tag, seconds: link.deadline)
      let sites = adapter.sites.filter { stage.layers.contains($0.layer) }
      var part = try CheckpointMessage.checkpoint(bytes, sites: sites)
      part.position = position
      return part
    }
    return TrainingCheckpoint(joining: parts)
  }

  /// Gives the stages of `D_f` the refined columns of the last steps.
  private func shareColumns(
    _ work: PhaseWork, _ runner: StageRunner?, _ whole: TrainingCheckpoint?, step: Int
  ) throws {
    guard !work.refined.isEmpty else { return }
    let tag = StageLink.Control.columns.tag
    for stage in work.plan.pipelines.flatMap(\.forward) {
      let sites = adapter.sites.filter { stage.layers.contains($0.layer) }
      if let whole, stage.device != 0 {
        try link.transport.sendCounted(
          try CheckpointMessage.bytes(whole.part(of: sites).withoutMoments), to: stage.device, tag: tag,
          seconds: link.deadline)
      }
      guard stage.device == rank, let runner else { continue }
      let part: TrainingCheckpoint
      if let whole {
        part = whole.part(of: sites)
      } else {
        part = try CheckpointMessage.checkpoint(
          try link.transport.receiveCounted(from: 0, tag: tag, seconds: link.deadline), sites: sites)
      }
      recordColumns(runner, adapter: part.adapter, history: part.history, step: step)
    }
  }

  /// Gives every rank the columns that the phase has trained.
  private func shareAdapter(_ phase: Phase) throws {
    let layout = TrainableLayout(sites: adapter.sites, columns: phase.trainable.count)
    let own = writes ? Plain.bytes(layout.gather(adapter, columns: phase.trainable)) : []
    let bytes = try link.transport.broadcast(own, seconds: link.deadline)
    guard !writes else { return }
    Plain.values(bytes, as: Float.self).withUnsafeBufferPointer {
      if let base = $0.baseAddress { layout.scatter(base, into: &adapter, columns: phase.trainable) }
    }
  }
}

/// What a rank did in a window of steps.
public struct WindowFigures: Sendable, Codable, Equatable {
  /// The task that trains.
  public var task: String
  /// Whether the rank belongs to `D_t`.
  public var trains: Bool
  /// Its layers.
  public var layers: Range<Int>
  /// Optimiser steps.
  public var steps: Int
  /// Bytes of the schedule's messages that it sent, by receiver.
  public var bytes: [Int: Int]
  /// Seconds in which it computed.
  public var computing: Double
  /// Seconds from the window's start to its end.
  public var seconds: Double
}

extension LoRAAdapter {
  /// Of some consecutive layers, perhaps of none.
  func part(_ part: [AdapterSite]) -> LoRAAdapter {
    let first = part.first.flatMap { sites.firstIndex(of: $0) } ?? 0
    return LoRAAdapter(
      sites: part, rank: rank, scale: scale, pairs: Array(pairs[first..<first + part.count]))
  }
}

extension TrainingCheckpoint {
  /// What `D_f` needs of a checkpoint.
  fileprivate var withoutMoments: TrainingCheckpoint {
    var copy = self
    copy.optimizer = nil
    return copy
  }
}
