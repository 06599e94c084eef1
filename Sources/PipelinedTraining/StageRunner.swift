import ContextGear
import ContextLoRA
import LanguageModels
import TaskGraph
import Tensor
import Transport

/// One phase as every rank of it sees it.
struct PhaseWork {
  /// The phase with its columns chosen.
  let phase: Phase
  /// Who does what. Of several pipelines the first one collects the gradients and reports.
  let plan: Plan
  /// The forward-only passes with the columns each computes with.
  let passes: [(task: String, columns: [Int])]
  let options: TrainingOptions
  /// The pipeline whose first stage knows the loss and the norm of a step.
  var root: Plan.Pipeline { plan.pipelines[0] }

  /// The place in the plan of the pipeline that a device belongs to.
  func pipelineIndex(of device: Int) -> Int? {
    plan.pipelines.firstIndex { ($0.trained + $0.forward).contains { $0.device == device } }
  }

  /// A rank's part: its index in its group, the group, and its layers.
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

/// Does one rank's operations of a phase's schedule: the same for ranks that train and for those that only
/// answer.
final class StageRunner {
  let work: PhaseWork
  let stage: LlamaStage
  let samples: any ChoiceSamples
  /// The stage's layers of the adapter; trained columns as of the phase's start.
  let adapter: LoRAAdapter
  /// The adapted layers of the whole model; the adapter has those of this stage, perhaps none.
  let allSites: [TargetModule]
  /// `nil` at a stage of `D_f`.
  let trainer: StageTrainer?
  var refined: RefinedColumns
  /// All trained columns before the last steps, for checkpoints.
  var history: [[Float]] = []
  /// How long the phase trains, as of the window's start.
  var pace: PhasePace
  /// The trained columns of the phase's best validated state.
  var best: [Float]?
  /// What was sent and how long was computed since the window began.
  var figures = StageFigures()

  let link: StageLink
  let message: ActivationMessage
  let messageMemory = MessageMemory()
  /// The rank's pipeline, and the first of a step's samples that are this pipeline's.
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
  /// Labelled tokens of the samples seen so far.
  var targetCounts: [Int: Int] = [:]

  /// A forward-only micro-batch between its receipt and its sending.
  struct Passing {
    let batch: PackedBatch
    /// Places within the micro-batch of the samples that are asked, and their questions.
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

  /// Does the operations of a window of steps.
  ///
  /// - Parameter onStep: is told of each update at a stage that trains.
  /// - Throws: the transport's errors, and what the data or the model's file throw.
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
      // Messages between replicas are large: those that have gone are not kept.
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

  /// The sends that go on; those that have ended are checked. Never waits, which could lock the stages up.
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

  /// The samples of a micro-batch, as places in the step's batch. The last micro-batches of an epoch's last
  /// step may have fewer, or none.
  func range(_ operation: StageOperation) -> Range<Int> {
    let count = window[Int(operation.step)].samples.count
    let first = firstSample + Int(operation.microBatch) * pipeline.microBatch
    return min(first, count)..<min(first + pipeline.microBatch, count)
  }
}

/// What one stage did in a window.
struct StageFigures {
  /// Bytes of the schedule's messages by receiver.
  var bytes: [Int: Int] = [:]
  /// Seconds in which it computed.
  var computing = 0.0
}
