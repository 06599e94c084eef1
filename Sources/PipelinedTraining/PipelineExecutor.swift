import ContextGear
import ContextLoRA
import Foundation
import LanguageModels
import TaskGraph
import Tensor
import Transport

/// Runs optimiser steps over the ranks of a job, each phase by its plan. Rank 0 leads.
///
/// In a window of steps, each rank of a phase performs its operations of the phase's schedule; at the end of
/// the window rank 0 can gather the whole checkpoint. All ranks keep the whole adapter as of the start of the
/// phase, so that each phase may partition the model differently.
package final class PipelineExecutor: PhaseExecutor {
  private let schedule: PhaseSchedule
  private let options: TrainingOptions
  private let link: StageLink
  private let plans: [String: Plan]
  private let samples: any ChoiceSamples
  private let loadStage: (Range<Int>, PackedUse) throws -> LlamaStage
  private let shape: ModelShape
  private let device: any ComputeDevice
  package private(set) var adapter: LoRAAdapter
  private var loaded: (stage: LlamaStage, use: PackedUse)?
  private var current: (work: PhaseWork, runner: StageRunner?)?
  /// The steps of the last window.
  private var windowSteps = 1
  /// Called after each window, on every rank that had work, with its figures.
  package var onWindow: (WindowFigures) throws -> Void = { _ in }
  /// Called on every rank before its part in a checkpoint. If it throws on any rank, rank 0 gets no checkpoint.
  package var beforeGather: () throws -> Void = {}

  /// - Parameters:
  ///   - plans: by task; their devices are the ranks.
  ///   - shape: the model's sizes that the plans were made with.
  ///   - adapter: the adapter of all layers.
  ///   - device: this rank's device.
  ///   - loadStage: loads a range of layers for a use.
  /// - Precondition: there is a plan for each task, and frozen columns are not chosen from gradients.
  package init(
    _ link: StageLink, schedule: PhaseSchedule, plans: [String: Plan], shape: ModelShape,
    adapter: LoRAAdapter, samples: any ChoiceSamples, options: TrainingOptions, device: any ComputeDevice,
    loadStage: @escaping (Range<Int>, PackedUse) throws -> LlamaStage
  ) {
    precondition(options.adaptiveFreezing == nil, "adaptive freezing needs all layers in one process")
    (self.link, self.schedule, self.plans, self.shape) = (link, schedule, plans, shape)
    (self.adapter, self.samples, self.options) = (adapter, samples, options)
    (self.device, self.loadStage) = (device, loadStage)
  }

  private var rank: Int { link.transport.rank }
  /// The timeout for what another rank sends after a window. A rank without a part in the phase waits for it
  /// from the window's start.
  private var timeout: Duration { link.timeout * (current?.runner == nil ? windowSteps : 1) }
  package var leads: Bool { rank == 0 }
  package var sampleCount: Int { samples.sampleCount }
  package var validation: (any ValidationEpisodes)? { samples.validation }
  package var phase: Phase? { current?.work.phase }
  /// Limits the number of steps whose operations are planned at once, however far apart checkpoints are.
  package var longestWindow: Int { 256 }
  /// The predictions of the next window need this window's refined columns.
  package var sharesColumns: Bool { current?.work.refined.isEmpty == false }

  package func share(_ checkpoint: TrainingCheckpoint?) throws -> TrainingCheckpoint? {
    let own = leads ? try checkpoint.map { try CheckpointMessage.bytes($0) } ?? [] : []
    let bytes = try link.transport.broadcast(
      own, limit: CheckpointMessage.limit(of: adapter, options), timeout: link.timeout)
    guard !bytes.isEmpty else { return nil }
    let fresh = adapter
    guard let shared = CheckpointMessage.checkpoint(bytes, like: fresh) else {
      throw link.transport.invalid("the checkpoint", from: 0, "it is not one of this adapter")
    }
    let validated = options.validation == nil ? nil : samples.validation
    let episodes = try schedule.graph.tasks.first.flatMap { try validated?.questions(task: $0).count }
    let resumed = ResumedTraining(
      schedule: schedule, options: options, samples: samples.sampleCount, validationEpisodes: episodes,
      usesPredictions: samples.usesPredictions, fresh: fresh)
    if let contradiction = resumed.contradiction(of: shared) {
      throw link.transport.invalid("the checkpoint", from: 0, "it \(contradiction)")
    }
    adapter = shared.adapter
    return shared
  }

  package func share(_ progress: PhaseProgress) throws -> PhaseProgress {
    let shared = try link.transport.broadcast(progress, as: "the phase's progress", timeout: timeout)
    guard shared.canFollow(progress, options, task: current?.work.phase.task) else {
      throw link.transport.invalid("the phase's progress", from: 0, "it is not this phase's")
    }
    return shared
  }

  package func stops(atCheckpoint isCheckpoint: Bool, _ shouldStop: () -> Bool) throws -> Bool {
    guard isCheckpoint else { return false }
    return try link.transport.broadcast([leads && shouldStop() ? 1 : 0], timeout: timeout) == [1]
  }

  // MARK: A phase

  package func withPhase<Result>(
    _ phase: Phase, from checkpoint: TrainingCheckpoint?, pace: PhasePace,
    _ body: (_ bytes: Int) throws -> Result
  ) throws -> Result {
    let work = try self.work(phase)
    // Its memory must be free before the next phase's is taken.
    defer { current = nil }
    guard let position = StagePosition(of: rank, in: work.plan) else {
      current = (work, nil)
      return try body(0)
    }
    let stage = try stage(position.layers, position.trains ? .forwardAndBackward : .forward)
    let validates = options.validation != nil && samples.validation != nil
    // As in one process: merge only if nothing else computes with other columns meanwhile.
    let merges =
      position.trains && work.passes.isEmpty && !(validates && !work.phase.refinedPrerequisites.isEmpty)
    let modules = adapter.modules.filter { position.layers.contains($0.layer) }
    return try stage.withMerged(phase.columnView, of: adapter.part(modules), if: merges) { computed in
      let runner = try runner(work, position, stage, modules, computed, checkpoint, pace)
      current = (work, runner)
      return try body(runner.byteCount)
    }
  }

  package func run(
    _ window: [StepSamples], pace: PhasePace, report: (StepOutcome) throws -> Void,
    onEvent _: (TrainingEvent) throws -> Void
  ) throws {
    guard let (work, runner) = current else { preconditionFailure("PipelineExecutor: steps without a phase") }
    windowSteps = window.count
    let leader = work.root.trained[0].device
    runner?.pace = pace
    var reports = leads && rank != leader ? StepReports(link, from: leader, count: window.count) : nil
    if let runner {
      let schedule = plan(work, steps: window.count)
      if let index = schedule.stages.firstIndex(where: { $0.device == rank }) {
        var sends: [Transfer] = []
        let start = ContinuousClock.now
        try runner.run(schedule.operations(of: index), window: window) { outcome in
          guard rank == leader else { return }
          if leads { try report(outcome) } else { sends.append(StepReports.send(outcome, link)) }
        }
        for send in sends { try send.wait(timeout: link.timeout) }
        try onWindow(
          WindowFigures(
            task: work.phase.task, trains: runner.position.trains, layers: runner.stage.layers,
            steps: window.count, bytes: runner.figures.bytes, computing: runner.figures.computing,
            seconds: (ContinuousClock.now - start) / .seconds(1)))
      }
    }
    for outcome in try reports?.take(all: true) ?? [] { try report(outcome) }
  }

  private func work(_ phase: Phase) throws -> PhaseWork {
    guard let plan = plans[phase.task] else { preconditionFailure("no plan for task '\(phase.task)'") }
    return PhaseWork(
      phase: phase, plan: plan,
      passes: samples.passes(of: phase.task).map { ($0, schedule.viewColumns(of: $0)) }, options: options)
  }

  /// The phase's schedule for N steps.
  private func plan(_ work: PhaseWork, steps: Int) -> Schedule {
    let pass = Workload.Pass(task: "", tokens: 1, labels: 1)
    let workload = Workload(
      forwardOnly: work.passes.map { _ in pass }, trained: pass, samples: options.batchSize,
      trainedColumns: work.phase.trainable.count, refinedColumns: work.refined.count,
      staleness: options.staleness)
    return Schedule(
      work.plan, workload: workload, shape: shape, deviceCount: link.transport.size, steps: steps)
  }

  /// Creates the runner of this rank's part of the phase.
  private func runner(
    _ work: PhaseWork, _ position: StagePosition, _ stage: LlamaStage, _ modules: [TargetModule],
    _ columns: ColumnView, _ resume: TrainingCheckpoint?, _ pace: PhasePace
  ) throws -> StageRunner {
    let runner = try StageRunner(
      link, work: work, position: position, stage: stage, adapter: adapter.part(modules), columns: columns,
      allModules: adapter.modules, samples: samples, pace: pace)
    let part = resume.map { $0.part(of: modules) }
    if let part, let state = part.optimizer, let trainer = runner.training?.trainer {
      (trainer.state, trainer.history, trainer.best) = (state, part.history, part.best)
    }
    recordColumns(
      runner, adapter: adapter.part(modules), history: part?.history ?? [], step: part?.optimizer?.step ?? 0)
    return runner
  }

  private func stage(_ layers: Range<Int>, _ use: PackedUse) throws -> LlamaStage {
    if let loaded, loaded.stage.layers == layers, loaded.use == use || use == .forward { return loaded.stage }
    // Release the old weights before loading new ones.
    loaded = nil
    let stage = try loadStage(layers, use)
    loaded = (stage, use)
    return stage
  }

  /// Records the refined columns that the next steps predict with: the current ones and those in `history`.
  private func recordColumns(
    _ runner: StageRunner, adapter: LoRAAdapter, history: [[Float]], step: Int
  ) {
    let refined = runner.work.refined
    guard !refined.isEmpty else { return }
    let trainable = runner.work.phase.trainable
    let all = TrainableLayout(modules: adapter.modules, columns: trainable.count)
    for (back, values) in history.reversed().enumerated() {
      runner.predictions.refined.record(
        all.narrowed(values, from: trainable, to: refined), before: step - 1 - back)
    }
    let layout = runner.predictions.refined.layout
    runner.predictions.refined.record(layout.gather(adapter, columns: refined), before: step)
  }

  // MARK: Validation

  package func score() throws -> ValidationScore? {
    guard let (work, runner) = current else { return nil }
    return try score(work.phase.task, runner?.training?.trainer.view)
  }

  package func scores(of tasks: [String]) throws -> [String: ValidationScore] {
    var scores: [String: ValidationScore] = [:]
    for task in tasks {
      let view = current?.runner.flatMap { runner in
        runner.validates
          ? DeviceAdapter(
            adapter.part(runner.adapter.modules), columns: .inference(schedule.viewColumns(of: task)),
            configuration: runner.stage.configuration, device: runner.stage.device) : nil
      }
      scores[task] = try score(task, view)
    }
    return scores
  }

  /// The validation score of a task with the columns of `view`; `nil` on ranks other than 0.
  private func score(_ task: String, _ view: DeviceAdapter?) throws -> ValidationScore? {
    guard let (work, runner) = current, let validation = samples.validation else { return nil }
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
      try link.transport.sendCounted(Plain.bytes(values), to: 0, tag: tag, timeout: timeout)
    }
    guard leads, last != 0 else { return leads ? own : nil }
    let values = Plain.values(
      try link.transport.receiveCounted(from: last, tag: tag, limit: 24, timeout: timeout), as: Double.self)
    guard values.count == 3, let correct = Int(exactly: values[1]), let count = Int(exactly: values[2]),
      count > 0, (0...count).contains(correct)
    else {
      throw link.transport.invalid("the score of task '\(task)'", from: last, "it is not a score")
    }
    return ValidationScore(loss: values[0], correct: correct, count: count)
  }

  package func keepBest() {
    guard let trainer = current?.runner?.training?.trainer else { return }
    trainer.best = trainer.parameters
  }

  // MARK: Between windows

  package func gather(_ position: TrainingCheckpoint.Position) throws -> TrainingCheckpoint? {
    guard let (work, runner) = current else { return nil }
    try beforeGather()
    var position = position
    if position.phase == work.phase.index {
      (position.trainable, position.frozen) = (work.phase.columnView.trainable, work.phase.columnView.frozen)
    }
    let whole = try collect(work, runner, position: position)
    if let whole { adapter = whole.adapter }
    return whole
  }

  package func distribute(_ checkpoint: TrainingCheckpoint?, step: Int) throws {
    guard let (work, runner) = current else { return }
    try shareColumns(work, runner, checkpoint, step: step)
  }

  package func start(_ phase: Phase) { adapter.startFromBase(phase, on: device) }

  package func shareAdapter() throws {
    if let phase { try shareAdapter(phase) }
  }

  /// Joins the parts of all stages on rank 0; `nil` elsewhere. Ranks without a part send an empty message: the
  /// steps depend on their answers or gradients too, so that rank 0 waits for all of them.
  private func collect(
    _ work: PhaseWork, _ runner: StageRunner?, position: TrainingCheckpoint.Position
  ) throws -> TrainingCheckpoint? {
    var own: TrainingCheckpoint?
    // The stages of the other replicas have the same columns as the root's.
    if let runner, let trainer = runner.training?.trainer, runner.position.pipelineIndex == 0 {
      var part = runner.adapter
      trainer.commit(to: &part)
      let isOver = position.trainable.isEmpty
      if isOver, let best = trainer.best { trainer.scatter(best, into: &part) }
      own = TrainingCheckpoint(
        position: position, adapter: part, optimizer: isOver ? nil : trainer.state,
        history: isOver ? [] : trainer.history, best: isOver ? nil : trainer.best)
    }
    let tag = StageLink.Control.checkpoint.tag
    guard leads else {
      try link.transport.sendCounted(
        try own.map { try CheckpointMessage.bytes($0) } ?? [], to: 0, tag: tag, timeout: timeout)
      return nil
    }
    let parts = try work.root.trained.map { stage in
      if stage.device == 0, let own { return own }
      let modules = adapter.modules.filter { stage.layers.contains($0.layer) }
      let bytes = try link.transport.receiveCounted(
        from: stage.device, tag: tag, limit: CheckpointMessage.limit(of: adapter.part(modules), options),
        timeout: timeout)
      guard var part = CheckpointMessage.checkpoint(bytes, like: adapter.part(modules)),
        part.position.trainable == position.trainable
      else {
        throw link.transport.invalid(
          "the checkpoint of its layers", from: stage.device, "it is not one of this phase")
      }
      part.position = position
      return part
    }
    for (part, stage) in zip(parts, work.root.trained) {
      guard part.history.count == parts[0].history.count,
        (part.optimizer == nil) == (parts[0].optimizer == nil),
        (part.best == nil) == (parts[0].best == nil)
      else {
        throw link.transport.invalid(
          "the checkpoint of its layers", from: stage.device, "it is of another step than the other ranks'")
      }
    }
    let senders = Set(work.root.trained.map(\.device))
    for other in 1..<link.transport.size where !senders.contains(other) {
      _ = try link.transport.receiveCounted(from: other, tag: tag, limit: 0, timeout: timeout)
    }
    return TrainingCheckpoint(joining: parts)
  }

  /// Sends the refined columns of the last steps to the stages of `D_f`.
  private func shareColumns(
    _ work: PhaseWork, _ runner: StageRunner?, _ whole: TrainingCheckpoint?, step: Int
  ) throws {
    guard !work.refined.isEmpty else { return }
    let tag = StageLink.Control.columns.tag
    for stage in work.plan.pipelines.flatMap(\.forward) {
      let modules = adapter.modules.filter { stage.layers.contains($0.layer) }
      if let whole, stage.device != 0 {
        try link.transport.sendCounted(
          try CheckpointMessage.bytes(whole.part(of: modules).withoutMoments), to: stage.device, tag: tag,
          timeout: timeout)
      }
      guard stage.device == rank, let runner else { continue }
      let part: TrainingCheckpoint
      if let whole {
        part = whole.part(of: modules)
      } else {
        let bytes = try link.transport.receiveCounted(
          from: 0, tag: tag, limit: CheckpointMessage.limit(of: adapter.part(modules), options),
          timeout: timeout)
        guard let shared = CheckpointMessage.checkpoint(bytes, like: adapter.part(modules)),
          shared.position.trainable == work.phase.columnView.trainable,
          shared.history.count <= options.staleness
        else {
          throw link.transport.invalid("the refined columns", from: 0, "they are not those of this phase")
        }
        part = shared
      }
      recordColumns(runner, adapter: part.adapter, history: part.history, step: step)
    }
  }

  /// Broadcasts the columns that the phase has trained to every rank.
  private func shareAdapter(_ phase: Phase) throws {
    let layout = TrainableLayout(modules: adapter.modules, columns: phase.trainable.count)
    let own = leads ? Plain.bytes(layout.gather(adapter, columns: phase.trainable)) : []
    let bytes = try link.transport.broadcast(
      own, limit: layout.count * MemoryLayout<Float>.size, timeout: timeout)
    guard !leads else { return }
    guard bytes.count == layout.count * MemoryLayout<Float>.size else {
      throw link.transport.invalid(
        "the columns of task '\(phase.task)'", from: 0,
        "expected \(layout.count * MemoryLayout<Float>.size) bytes, received \(bytes.count)")
    }
    Plain.values(bytes, as: Float.self).withUnsafeBufferPointer {
      if let base = $0.baseAddress { layout.scatter(base, into: &adapter, columns: phase.trainable) }
    }
  }
}

/// The figures of a rank for a window of steps.
package struct WindowFigures: Sendable, Codable, Equatable {
  /// The task that trains.
  package var task: String
  /// Whether the rank belongs to `D_t`.
  package var trains: Bool
  /// The rank's layers.
  package var layers: Range<Int>
  /// Optimiser steps.
  package var steps: Int
  /// Bytes of the schedule's messages that the rank sent, by receiver.
  package var bytes: [Int: Int]
  /// Seconds spent computing.
  package var computing: Double
  /// Seconds from the window's start to its end.
  package var seconds: Double
}

extension LoRAAdapter {
  /// The part for some consecutive layers, possibly none.
  func part(_ part: [TargetModule]) -> LoRAAdapter {
    let first = part.first.flatMap { modules.firstIndex(of: $0) } ?? 0
    return LoRAAdapter(
      modules: part, rank: rank, scale: scale, pairs: Array(pairs[first..<first + part.count]))
  }
}

extension TrainingCheckpoint {
  /// The part of a checkpoint that `D_f` needs.
  fileprivate var withoutMoments: TrainingCheckpoint {
    var copy = self
    copy.optimizer = nil
    return copy
  }
}
