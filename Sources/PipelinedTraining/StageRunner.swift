import ContextGear
import ContextLoRA
import LanguageModels
import TaskGraph
import Tensor
import Transport

/// One phase as shared by all its ranks.
struct PhaseWork {
  /// The phase with its columns chosen.
  let phase: Phase
  /// The assignment of work to devices. The first of several pipelines collects the gradients and reports.
  let plan: Plan
  /// The forward-only passes, each with the columns it computes with.
  let passes: [(task: String, columns: [Int])]
  let options: TrainingOptions
  /// The pipeline whose first stage has the loss and the norm of a step.
  var root: Plan.Pipeline { plan.pipelines[0] }

  /// The index in the plan of the pipeline that a device belongs to.
  func pipelineIndex(of device: Int) -> Int? {
    plan.pipelines.firstIndex { ($0.trained + $0.forward).contains { $0.device == device } }
  }

  /// A rank's part: its group, its index in the group, and its layers.
  struct Part {
    let index: Int
    let trains: Bool
    let layers: Range<Int>
  }

  /// The part of a rank; `nil` if it has none.
  func part(of rank: Int) -> Part? {
    for pipeline in plan.pipelines {
      if let index = pipeline.trained.firstIndex(where: { $0.device == rank }) {
        return Part(index: index, trains: true, layers: pipeline.trained[index].layers)
      }
      if let index = pipeline.forward.firstIndex(where: { $0.device == rank }) {
        return Part(index: index, trains: false, layers: pipeline.forward[index].layers)
      }
    }
    return nil
  }

  /// The refined columns of the passes' tasks.
  var refined: [Int] { passes.isEmpty ? [] : phase.prerequisites.flatMap(\.trainable).sorted() }
}

/// Performs one rank's operations of a phase's schedule, both on ranks that train and on ranks that only
/// answer.
final class StageRunner {
  let work: PhaseWork
  let stage: LlamaStage
  let samples: any ChoiceSamples
  /// The adapter for this stage's layers; trained columns as of the start of the phase.
  let adapter: LoRAAdapter
  /// The target modules of the whole model; `adapter` has those of this stage, possibly none.
  let allSites: [TargetModule]
  /// `nil` at a stage of `D_f`.
  let trainer: StageTrainer?
  var refined: RefinedColumns
  /// All trained columns before the last steps, for checkpoints.
  var history: [[Float]] = []
  /// The phase's pace as of the start of the window.
  var pace: PhasePace
  /// The trained columns of the phase's best validated state.
  var best: [Float]?
  /// Bytes sent and time spent computing since the window began.
  var figures = StageFigures()

  let link: StageLink
  let message: ActivationMessage
  let messageMemory = MessageMemory()
  /// The rank's pipeline, and the index of its first sample within a step.
  let pipelineIndex: Int
  let pipeline: Plan.Pipeline
  let firstSample: Int
  let place: Int
  let longest: [Int]
  var answers: AnswerTable
  var window: [StepSamples] = []
  var passing: Passing?
  var flying: [Int: Flight] = [:]
  var free: [StageActivations] = []
  var trainWorker: StageWorker?
  var passMemory: [Int: (worker: StageWorker, activations: StageActivations)] = [:]
  var passViews: (source: Int, views: [DeviceAdapter])?
  var shares: [Int: [Double]] = [:]
  var total: (loss: Double, norm: Double)?
  var tokens = 0
  /// By step, the number of labelled tokens of the samples seen so far.
  var targetCounts: [Int: Int] = [:]

  /// A forward-only micro-batch between its receipt and its sending.
  struct Passing {
    let batch: PackedBatch
    /// The samples to be asked, as indices within the micro-batch, with their questions.
    let asked: [(place: Int, request: ScoreRequest)]
  }

  /// A trained micro-batch between its forward and its backward pass.
  struct Flight {
    let batch: PackedBatch
    let activations: StageActivations
  }

  init(
    _ link: StageLink, work: PhaseWork, stage: LlamaStage, adapter: LoRAAdapter,
    columns: ColumnView, allSites: [TargetModule], trains: Bool, place: Int, samples: any ChoiceSamples,
    pace: PhasePace
  ) throws {
    self.pace = pace
    (self.link, self.work, self.stage, self.adapter) = (link, work, stage, adapter)
    self.allSites = allSites
    (self.samples, self.place) = (samples, place)
    guard let index = work.pipelineIndex(of: link.transport.rank) else {
      preconditionFailure("a rank without a part in the plan")
    }
    pipelineIndex = index
    pipeline = work.plan.pipelines[index]
    firstSample = work.plan.pipelines[..<index].reduce(0) { $0 + $1.samples }
    message = ActivationMessage(wire: link.wire, hidden: stage.configuration.hiddenSize)
    trainer =
      trains
      ? StageTrainer(stage, adapter: adapter, columns: columns, options: work.options) : nil
    refined = RefinedColumns(sites: adapter.sites, columns: work.refined, staleness: work.options.staleness)
    answers = AnswerTable(passes: work.passes.count)
    longest =
      try work.passes.map { try samples.longestQuestion($0.task) }
      + [try samples.longestSequence(work.phase.task)]
  }

  /// Bytes of activations, scratch, gradients, moments and adapter now.
  var byteCount: Int {
    (trainer?.byteCount ?? 0) + (trainWorker?.byteCount ?? 0)
      + (free + flying.values.map(\.activations)).reduce(0) { $0 + $1.byteCount }
      + passMemory.values.reduce(0) { $0 + $1.worker.byteCount + $1.activations.byteCount }
  }

  /// Performs the operations of a window of steps.
  ///
  /// - Parameter onStep: called after each update at a stage that trains.
  /// - Throws: the errors of the transport, the data and the model's file.
  func run(
    _ operations: ArraySlice<StageOperation>, window: [StepSamples], onStep: (StepOutcome) throws -> Void
  ) throws {
    self.window = window
    figures = StageFigures()
    var inbox = Inbox(link, operations) { self.memory(for: $0) }
    var sends: [Transfer] = []
    recordColumns(before: window[0].step)
    var start = ContinuousClock.now
    for operation in operations {
      switch operation.kind {
      case .receive: try take(try inbox.next(operation), operation)
      case .send:
        let buffer = try outgoing(operation)
        figures.bytes[Int(operation.peer), default: 0] += buffer.count
        sends.append(
          link.transport.send(buffer, to: Int(operation.peer), tag: StageLink.tag(operation.message)))
        if sends.count >= 64 { sends = try unfinished(sends) }
      case .forward, .backward, .update:
        let began = ContinuousClock.now
        try compute(operation)
        figures.computing += (ContinuousClock.now - began).inSeconds
      }
      // Messages between replicas are large, so completed ones are released.
      if operation.kind == .update { sends = try unfinished(sends) }
      if operation.kind == .update, let total {
        let now = ContinuousClock.now
        let targets = try countTargets(operation.step)
        try onStep(
          StepOutcome(
            step: absolute(operation.step), loss: total.loss / Double(max(targets, 1)),
            gradientNorm: total.norm, tokens: tokens, targets: targets, seconds: (now - start).inSeconds))
        (start, self.total, tokens) = (now, nil, 0)
      }
    }
    for send in sends {
      try send.wait(seconds: link.deadline)
      messageMemory.giveBack(send.buffer)
    }
  }

  /// Checks completed sends and returns the others. Never waits, because that could deadlock the stages.
  func unfinished(_ sends: [Transfer]) throws -> [Transfer] {
    var under: [Transfer] = []
    for send in sends {
      guard send.isEnded else {
        under.append(send)
        continue
      }
      try send.wait(seconds: 0)
      messageMemory.giveBack(send.buffer)
    }
    return under
  }

  var passCount: Int { work.passes.count }
  func absolute(_ step: Int32) -> Int { window[Int(step)].step }

  /// The samples of a micro-batch, as indices in the step's batch. In an epoch's last step, the last
  /// micro-batches may have fewer samples, or none.
  func range(_ operation: StageOperation) -> Range<Int> {
    let count = window[Int(operation.step)].samples.count
    let first = firstSample + Int(operation.microBatch) * pipeline.microBatch
    return min(first, count)..<min(first + pipeline.microBatch, count)
  }
}

/// The figures of one stage for a window.
struct StageFigures {
  /// Bytes of the schedule's messages, by receiver.
  var bytes: [Int: Int] = [:]
  /// Seconds spent computing.
  var computing = 0.0
}
