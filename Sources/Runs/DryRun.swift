import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import LanguageModels
import SafeFiles
import TaskGraph
import Workflows

/// Estimates a training in one process by its first steps: it loads the model, trains each phase of the first round
/// for a few optimiser steps on an adapter that is thrown away, and scales their times to the run's own samples.
///
/// The steps are those of the trainer itself, with its checkpoints, so that this process comes to hold what the
/// training would: its peak is the estimate of memory. Later rounds have the same phases and are only counted.
/// Phases count with their planned steps: validation may end them earlier, or give them more.
package struct DryRun {
  private let workflow: Workflow
  private let out: String?
  private let models: String
  private let steps: Int

  /// - Parameters:
  ///   - out: the run folder of the training, which is checked and not written; `nil` for none.
  ///   - models: the folder of fetched models.
  ///   - steps: optimiser steps of each phase that are timed, after one that is not.
  package init(_ workflow: Workflow, out: String?, models: String, steps: Int = 3) {
    precondition(steps > 0, "DryRun: no steps")
    (self.workflow, self.out, self.models, self.steps) = (workflow, out, models, steps)
  }

  /// Checks what a training checks before its first step, and measures.
  ///
  /// - Parameters:
  ///   - scratch: a folder for checkpoints as the training writes them; made where it is not there, and to be removed
  ///     afterwards.
  ///   - onPhase: called when a phase's first steps begin, with the number of phases that are measured.
  /// - Returns: `nil` where `shouldStop` said so after a step.
  /// - Throws: an error that names what is wrong and the remedy, as the training would.
  package func run(
    scratch: URL, shouldStop: () -> Bool = { false }, onPhase: (Phase, Int) throws -> Void = { _, _ in }
  ) throws -> TrainingEstimate? {
    let start = ContinuousClock.now
    let preparation = try RunPreparation(workflow, models: models)
    if let out { _ = try RunFolder(out).admit(preparation, resume: false) }
    let examples = preparation.examples
    try examples.check()
    let loaded = try LoadedWorkflow(preparation.material, use: .forwardAndBackward)
    let answerer = TimedAnswerer(ExampleAnswerer(examples, loaded.stage))
    let loadSeconds = (ContinuousClock.now - start).inSeconds

    let schedule = try workflow.phaseSchedule.firstRound
    let trainer = WorkflowTrainer(
      loaded.stage, schedule: schedule, adapter: preparation.material.freshAdapter, samples: examples,
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
      return (now - mark).inSeconds
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
      // A warning at a phase's end comes after the validation of the prerequisites, which is a part of that end.
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
    let phases = try workflow.phaseSchedule.map { phase in
      let work = try examples.work(phase, options)
      let measured = times[phase.index % schedule.count]
      return TrainingEstimate.Phase(
        phase: phase.index, round: phase.round, task: phase.task, trainable: phase.trainable.count,
        frozen: phase.frozen.count, masked: phase.masked.count, steps: work.steps,
        stepLimit: options.stepLimit(task: phase.task, planned: work.steps), tokens: work.tokens,
        stepBytes: measured.stepBytes, stepSeconds: measured.stepSeconds(work) / Double(max(work.steps, 1)),
        seconds: measured.seconds(work))
    }
    return TrainingEstimate(
      model: loaded.modelPath, precision: loaded.stage.device.computeType.rawValue,
      weightBytes: loaded.stage.weightBytes, workers: loaded.stage.device.workerCount,
      episodes: examples.sampleCount, measuredSteps: steps, phases: phases, loadSeconds: loadSeconds,
      endSeconds: endSeconds, peakBytes: try ProcessMemory.peak())
  }

  /// The training's options, but for the first steps of each phase alone. Where a phase of the training has
  /// checkpoints before its end, one is written between the steps that are timed; the rate is that of the first step.
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
    // Once, at the end of the first steps; a phase that has not learnt by then gets no more of them.
    if options.validation != nil {
      options.validation = TrainingOptions.Validation(
        every: 1_000_000_000, budget: TrainingOptions.Budget(steps: 1))
    }
    return options
  }
}

extension PhaseSchedule {
  /// The same with one round.
  fileprivate var firstRound: PhaseSchedule {
    get throws(TaskGraphError) {
      try PhaseSchedule(
        graph: graph, blocks: blocks, frozenRatio: frozenRatio, prerequisiteRule: prerequisiteRule,
        freezeRule: freezeRule)
    }
  }
}

extension WorkflowExamples {
  /// What a phase of the training has to do, sample by sample in its order.
  func work(_ phase: Phase, _ options: TrainingOptions) throws -> PhaseWork {
    let lengths = try examples(phase.task).map { $0.prompt.count + $0.completion.count - 1 }
    var work = PhaseWork()
    work.steps = options.stepCount(task: phase.task, samples: lengths.count)
    var counter = PredictionCounter(self, phase)
    var cursor = DataCursor()
    var order = EpochOrder(count: lengths.count, seed: options.seed(phase: phase.index), epoch: 0)
    for _ in 0..<work.steps {
      let epoch = cursor.epoch
      let samples = cursor.take(options.batchSize, from: order)
      work.tokens += samples.reduce(0) { $0 + lengths[$1] }
      work.predictions += counter.count(samples, epoch: epoch)
      if cursor.epoch != epoch {
        order = EpochOrder(
          count: lengths.count, seed: options.seed(phase: phase.index), epoch: cursor.epoch)
      }
    }
    let pace = options.pace(task: phase.task, samples: lengths.count)
    work.validations = (1...max(work.steps, 1)).count { pace.isDue($0, options.validation) }
    work.checkpoints = max(0, work.steps - 1) / options.checkpointEvery
    if let adaptive = options.adaptiveFreezing {
      work.decisions = (work.steps + adaptive.interval - 1) / adaptive.interval
    }
    return work
  }
}

/// Counts the samples whose parents' answers have to be predicted in a phase.
struct PredictionCounter {
  private let examples: WorkflowExamples
  private let phase: Int
  private let hasParents: Bool
  /// Whether predictions are made again for every batch.
  private let parentsChange: Bool
  private var known: Set<Int> = []

  init(_ examples: WorkflowExamples, _ phase: Phase) {
    self.examples = examples
    self.phase = phase.index
    hasParents = !examples.workflow.graph.parents(of: phase.task).isEmpty
    parentsChange = phase.prerequisites.contains { !$0.trainable.isEmpty }
  }

  /// Those of a batch.
  mutating func count(_ samples: [Int], epoch: Int) -> Int {
    guard hasParents, examples.usesPredictions else { return 0 }
    let predicted = samples.filter { examples.predicts($0, phase: phase, epoch: epoch) }
    guard !parentsChange else { return predicted.count }
    return predicted.count { known.insert($0).inserted }
  }
}

/// Remembers how long predictions took.
private final class TimedAnswerer: TaskAnswerer {
  private let answerer: ExampleAnswerer
  private var seconds = 0.0
  /// The most samples that one task was asked about.
  private var asked: [String: Int] = [:]

  init(_ answerer: ExampleAnswerer) { self.answerer = answerer }

  func answers(
    _ task: String, samples: [Int], parentAnswers: [[String: String]], adapter: LoRAAdapter, columns: [Int]
  ) throws -> [String] {
    let start = ContinuousClock.now
    defer { seconds += (ContinuousClock.now - start).inSeconds }
    asked[task, default: 0] += samples.count
    return try answerer.answers(
      task, samples: samples, parentAnswers: parentAnswers, adapter: adapter, columns: columns)
  }

  /// The samples whose parents' answers were predicted since the last call, and the seconds that took.
  func take() -> (samples: Int, seconds: Double) {
    defer { (seconds, asked) = (0, [:]) }
    return (asked.values.max() ?? 0, seconds)
  }
}
