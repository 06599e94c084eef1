import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import Workflows

/// Estimates a training in one process from its first steps. It loads the model, trains each phase of the
/// first round for a few optimiser steps on an adapter that is then discarded, and scales the times to the
/// run's own samples.
///
/// The steps are the trainer's own, including checkpoints, so that this process reaches the same memory use
/// as the training: its peak is the memory estimate. Later rounds have the same phases and are only counted.
/// Phases count with their planned steps, although validation may end them earlier or extend them.
package struct DryRun {
  private let workflow: Workflow
  private let out: String?
  private let models: String
  private let steps: Int

  /// - Parameters:
  ///   - out: the run folder of the training, which is checked but not written; `nil` for none.
  ///   - models: the folder of fetched models.
  ///   - steps: the number of optimiser steps timed in each phase, after one that is not.
  package init(_ workflow: Workflow, out: String?, models: String, steps: Int = 3) {
    precondition(steps > 0, "DryRun: no steps")
    (self.workflow, self.out, self.models, self.steps) = (workflow, out, models, steps)
  }

  /// Does the checks that precede a training's first step, then measures.
  ///
  /// - Parameters:
  ///   - scratch: a folder for checkpoints like the training's. It is created if missing; the caller removes
  ///     it.
  ///   - onProgress: called now and then while the data is read and rendered.
  ///   - onPhase: called when the first steps of a phase begin, with the phase and the number of phases to
  ///     measure.
  /// - Returns: `nil` if `shouldStop` returned `true` after a step.
  /// - Throws: the same errors as the training, each with the problem and the fix.
  package func run(
    scratch: URL, shouldStop: () -> Bool = { false }, onProgress: (DataPreparation) throws -> Void = { _ in },
    onPhase: (Phase, Int) throws -> Void = { _, _ in }
  ) throws -> TrainingEstimate? {
    let start = ContinuousClock.now
    let preparation = try RunPreparation(workflow, models: models, onProgress: onProgress)
    if let out { _ = try RunFolder(out).admit(preparation, resume: false) }
    let examples = preparation.examples
    let notes = try preparation.check(resumes: false, onProgress: onProgress)
    let material = preparation.material
    let device = material.device()
    try preparation.checkSteps(on: device)
    let model = try material.model(on: device, use: .forwardAndBackward)
    let answerer = TimedAnswerer(ExampleAnswerer(examples, model))
    let loadSeconds = (ContinuousClock.now - start) / .seconds(1)

    let schedule = try workflow.phaseSchedule.firstRound
    let trainer = WorkflowTrainer(
      model, schedule: schedule, adapter: material.freshAdapter, samples: examples,
      answerer: answerer, options: try options(schedule, samples: examples.sampleCount))
    var destination = preparation.destination(RunFolder(scratch.path))
    destination.url = scratch.appendingPathComponent("checkpoint.safetensors")
    try AtomicFolder.make(scratch)
    var times: [PhaseTimes] = []
    var mark = ContinuousClock.now
    /// Seconds since the last event.
    func lap() -> Double {
      let now = ContinuousClock.now
      defer { mark = now }
      return (now - mark) / .seconds(1)
    }
    let isDone = try trainer.run(to: destination, shouldStop: shouldStop) { event in
      let index = times.count - 1
      switch event {
      case .phaseStarted(let phase, _, _, let bytes):
        var started = PhaseTimes()
        (started.setup, started.stepBytes) = (lap(), bytes)
        times.append(started)
        try onPhase(phase, schedule.count)
      case .step(let record):
        let (predictions, seconds) = answerer.take()
        times[index].steps.append(
          PhaseTimes.Step(
            tokens: record.tokens, seconds: record.seconds - seconds, dataSeconds: seconds,
            predictions: predictions))
        if let report = record.validation { times[index].validations.append(report.seconds) }
      case .checkpoint(_, let position):
        if position.phase == index {
          times[index].checkpoints.append(lap())
        } else {
          times[index].end = lap()
        }
      // A warning at the end of a phase follows the validation of the prerequisites, which belongs to that
      // end.
      case .warning, .checkpointDue: return
      case .phaseFinished, .decided: break
      }
      mark = .now
    }
    guard isDone else { return nil }
    try AdapterFile(adapter: trainer.adapter, schedule: workflow.phaseSchedule).write(
      to: scratch.appendingPathComponent("adapter.safetensors"))
    let endSeconds = lap()

    let options = workflow.trainingOptions
    let limit = max(100, 100_000 / min(workflow.phaseSchedule.count, Self.countedPhases))
    // Later rounds differ only in the order of the samples.
    var known: [PhaseWork] = []
    let phases = try workflow.phaseSchedule.map { phase in
      let isCounted = phase.index < max(schedule.count, Self.countedPhases)
      let work =
        isCounted
        ? try examples.work(phase, options, limit: limit) : known[phase.index % schedule.count]
      if phase.index < schedule.count { known.append(work) }
      let measured = times[phase.index % schedule.count]
      return TrainingEstimate.Phase(
        phase: phase.index, round: phase.round, task: phase.task, trainable: phase.trainable.count,
        frozen: phase.frozen.count, masked: phase.masked.count, steps: work.steps,
        stepLimit: options.stepLimit(task: phase.task, planned: work.steps), tokens: work.tokens,
        stepBytes: measured.stepBytes, stepSeconds: measured.stepSeconds(work) / Double(max(work.steps, 1)),
        seconds: measured.seconds(work))
    }
    return TrainingEstimate(
      model: material.modelPath, precision: model.device.computeType.rawValue,
      weightBytes: model.stage.weightBytes, workers: model.device.workerCount,
      episodes: examples.sampleCount, longAnswers: notes.longAnswers, unreadFiles: notes.unreadFiles,
      measuredSteps: steps, phases: phases,
      loadSeconds: loadSeconds,
      endSeconds: endSeconds, peakBytes: try ProcessMemory.peak())
  }

  /// The number of phases whose samples are counted; those of later rounds are taken to be like the first one's.
  private static let countedPhases = 1000

  /// The training's options, limited to the first steps of each phase, at the rate of the first step. If a
  /// phase of the training has checkpoints before its end, one is written between the timed steps.
  private func options(_ schedule: PhaseSchedule, samples: Int) throws -> TrainingOptions {
    var options = workflow.trainingOptions
    let (real, every) = (options, options.checkpointEvery)
    var rate = real.learningRate.peak
    for phase in schedule {
      let all = real.stepCount(task: phase.task, samples: samples)
      options.maximumStepsByTask[phase.task] = min(all, all > every ? steps + 2 : steps + 1)
      rate = min(rate, real.learningRate.rate(step: 1, total: all))
    }
    options.checkpointEvery = min(every, steps + 1)
    options.learningRate = LearningRateSchedule(peak: rate)
    // Validate once, at the end of the first steps; a phase that has not learnt by then is not extended.
    if options.validation != nil {
      options.validation = TrainingOptions.Validation(
        every: 1_000_000_000, budget: TrainingOptions.Budget(steps: 1))
    }
    return options
  }
}

extension PhaseSchedule {
  /// The schedule with one round.
  fileprivate var firstRound: PhaseSchedule {
    get throws(TaskGraphError) {
      try PhaseSchedule(
        graph: graph, blocks: blocks, frozenRatio: frozenRatio, prerequisiteRule: prerequisiteRule,
        freezeRule: freezeRule)
    }
  }
}

extension WorkflowExamples {
  /// The work of a phase of the training, from its samples in order. Of a longer phase than `limit` steps, only
  /// the first ones are counted; the rest is taken to be like them.
  func work(_ phase: Phase, _ options: TrainingOptions, limit: Int = 100_000) throws -> PhaseWork {
    let lengths = try rowCounts(phase.task)
    var work = PhaseWork()
    work.steps = options.stepCount(task: phase.task, samples: lengths.count)
    var counter = PredictionCounter(self, phase)
    var cursor = DataCursor()
    var order = EpochOrder(count: lengths.count, seed: options.seed(phase: phase.index), epoch: 0)
    let counted = min(work.steps, limit)
    for _ in 0..<counted {
      let epoch = cursor.epoch
      let samples = cursor.take(options.batchSize, from: order)
      work.tokens += samples.reduce(0) { $0 + Int(lengths[$1]) }
      work.predictions += counter.count(samples, epoch: epoch)
      if cursor.epoch != epoch {
        order = EpochOrder(
          count: lengths.count, seed: options.seed(phase: phase.index), epoch: cursor.epoch)
      }
    }
    work.extend(
      from: counted, predictionsRepeat: counter.parentsChange, batchSize: options.batchSize,
      samples: lengths.count)
    work.validations = options.pace(task: phase.task, samples: lengths.count).plannedValidations(
      options.validation)
    work.checkpoints = max(0, work.steps - 1) / options.checkpointEvery
    if let adaptive = options.adaptiveFreezing {
      work.decisions = (work.steps + adaptive.interval - 1) / adaptive.interval
    }
    return work
  }
}

/// Counts the samples that need predicted parents' answers in a phase.
struct PredictionCounter {
  private let examples: WorkflowExamples
  private let phase: Int
  private let hasParents: Bool
  /// Whether predictions are repeated for every batch.
  let parentsChange: Bool
  private var known: Set<Int> = []

  init(_ examples: WorkflowExamples, _ phase: Phase) {
    self.examples = examples
    self.phase = phase.index
    hasParents = !examples.workflow.graph.parents(of: phase.task).isEmpty
    parentsChange = phase.prerequisites.contains { !$0.trainable.isEmpty }
  }

  /// The number of such samples in a batch.
  mutating func count(_ samples: [Int], epoch: Int) -> Int {
    guard hasParents, examples.usesPredictions else { return 0 }
    let predicted = samples.filter { examples.predicts($0, phase: phase, epoch: epoch) }
    guard !parentsChange else { return predicted.count }
    return predicted.count { known.insert($0).inserted }
  }
}

/// Measures the time of predictions.
private final class TimedAnswerer: TaskAnswerer {
  private let answerer: ExampleAnswerer
  private var seconds = 0.0
  /// By task, the largest number of samples that it was asked about.
  private var asked: [String: Int] = [:]

  init(_ answerer: ExampleAnswerer) { self.answerer = answerer }

  func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String] {
    let start = ContinuousClock.now
    defer { seconds += (ContinuousClock.now - start) / .seconds(1) }
    asked[task, default: 0] += samples.count
    return try answerer.answers(
      task, samples: samples, parentAnswers: parentAnswers, adapter: adapter, columns: columns)
  }

  /// The number of samples with parents' answers predicted since the last call, and the time that took in
  /// seconds.
  func take() -> (samples: Int, seconds: Double) {
    defer { (seconds, asked) = (0, [:]) }
    return (asked.values.max() ?? 0, seconds)
  }
}
