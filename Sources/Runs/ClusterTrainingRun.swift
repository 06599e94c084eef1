import Checkpoint
import ContextGear
import ContextLoRA
import Datasets
import Foundation
import InputErrors
import LanguageModels
import PipelinedTraining
import SafeFiles
import Tensor
import Transport
import Workflows

/// A training of a workflow over the ranks of a job. Every rank runs it; rank 0 has the run folder.
package struct ClusterTrainingRun {
  /// How the ranks talk and compute.
  package struct Options: Sendable {
    /// How activations and gradients are written into messages.
    package var wire = WireFormat.bfloat16
    /// Seconds that one message is waited for.
    package var deadline = 600.0
    /// Shards that this rank works on at once; `nil` takes what the plan says of its device.
    package var workers: Int?
    /// The same where the plan says nothing.
    package var share = 1
    /// Identifies the program; the same on all ranks.
    package var program = ""

    /// The defaults.
    package init() {}
  }

  private let workflow: Workflow
  private let folder: RunFolder
  private let models: String
  private let transport: any Transport
  private let options: Options

  /// - Parameters:
  ///   - out: the run folder, on rank 0's machine.
  ///   - models: the folder of fetched models, on every machine.
  package init(
    _ workflow: Workflow, out: String, models: String, over transport: any Transport,
    options: Options = Options()
  ) {
    self.workflow = workflow
    folder = RunFolder(out)
    (self.models, self.transport, self.options) = (models, transport, options)
  }

  /// Trains to the end, or until rank 0's `shouldStop` says so at a checkpoint.
  ///
  /// - Parameters:
  ///   - resume: looked at on rank 0 only.
  ///   - makePlan: is called on rank 0.
  ///   - onEvent: is called on rank 0.
  ///   - onEnd: is called on rank 0 with what each rank did, and the plan.
  /// - Returns: whether training is done; otherwise the run can be resumed.
  /// - Throws: on every rank the same `JobRefusal`, which names what is wrong, on which rank, and the remedy,
  ///   where one cannot start; nothing is left behind then. Later the transport's errors, and what the data,
  ///   the model's file or the disk throw.
  package func run(
    resume: Bool, makePlan: () throws -> WorkflowPlan, shouldStop: () -> Bool = { false },
    onEvent: (TrainingRun.Event) throws -> Void,
    onEnd: ([RankFigures], WorkflowPlan) throws -> Void = { _, _ in }
  ) throws -> Bool {
    let start = ContinuousClock.now
    let prepared = try agree { try prepare(resume: resume, makePlan) }
    let (preparation, checkpoint, own) = (prepared.preparation, prepared.checkpoint, prepared.plan)
    let type = try agreedType(prepared)
    let bytes = try transport.broadcast(Array(own), seconds: options.deadline)
    let plan = try JSONDecoder().decode(WorkflowPlan.self, from: Data(bytes))

    let device = preparation.material.device(
      workers: options.workers ?? plan.cluster.devices[transport.rank].workers ?? options.share, type: type)
    var recorder: RunRecorder?
    if transport.rank == 0 {
      recorder = try RunRecorder(
        folder, preparation, precision: device.computeType.rawValue, resume: resume, checkpoint: checkpoint)
      try AtomicFile.write(own, to: folder.plan)
      try onEvent(
        .joined(
          model: preparation.material.modelPath, precision: device.computeType, ranks: transport.size,
          episodes: preparation.examples.episodes.count, seconds: (ContinuousClock.now - start).inSeconds))
      if let checkpoint { try onEvent(.resumed(totalSteps: checkpoint.position.totalSteps)) }
    }
    let executor = PipelineExecutor(
      StageLink(transport, wire: options.wire, deadline: options.deadline), schedule: workflow.phaseSchedule,
      plans: Dictionary(
        plan.phases.map { ($0.workload.trained.task, $0.plan) }, uniquingKeysWith: { first, _ in first }),
      shape: plan.shape, adapter: preparation.material.freshAdapter,
      samples: preparation.examples,
      options: workflow.trainingOptions
    ) { layers, use in try preparation.material.stage(layers, on: device, use: use) }
    var windows: [WindowFigures] = []
    executor.onWindow = { windows.append($0) }
    let trainer = WorkflowTrainer(
      executor, schedule: workflow.phaseSchedule, options: workflow.trainingOptions)
    let done = try trainer.run(
      from: checkpoint, to: preparation.destination(folder), shouldStop: shouldStop
    ) { event in
      if let event = try recorder?.record(event) { try onEvent(event) }
    }
    let figures = try gather(windows)
    if transport.rank == 0 {
      try onEnd(figures, plan)
      if done, let event = try recorder?.finish(trainer.adapter) { try onEvent(event) }
    }
    return done
  }

  private func gather(_ windows: [WindowFigures]) throws -> [RankFigures] {
    let own = try JSONEncoder().encode(windows)
    return try transport.gather(Array(own), seconds: options.deadline).enumerated().map { rank, bytes in
      RankFigures(
        rank: rank, windows: try JSONDecoder().decode([WindowFigures].self, from: Data(bytes)))
    }
  }

  private struct Prepared {
    let preparation: RunPreparation
    var checkpoint: TrainingCheckpoint?
    /// The number format that a resumed run was begun in.
    var begun: ElementType?
    var plan = Data()
  }

  private func prepare(resume: Bool, _ makePlan: () throws -> WorkflowPlan) throws -> Prepared {
    let preparation = try RunPreparation(workflow, models: models)
    if let refusal = workflow.needsOneProcess(preparation.examples.episodes) { throw refusal }
    let checkpoint = transport.rank == 0 ? try folder.admit(preparation, resume: resume) : nil
    let begun = transport.rank == 0 && resume ? try folder.computeType() : nil
    try preparation.examples.check()
    guard transport.rank == 0 else { return Prepared(preparation: preparation) }
    let plan = try makePlan()
    try plan.check(preparation, ranks: transport.size)
    return Prepared(
      preparation: preparation, checkpoint: checkpoint, begun: begun, plan: try plan.json())
  }

  /// The number format of all ranks. A resumed run keeps the one it was begun in; a new one needs ranks
  /// that choose the same.
  private func agreedType(_ prepared: Prepared) throws -> ElementType {
    let begun = try transport.broadcast(
      Array((prepared.begun?.rawValue ?? "").utf8), seconds: options.deadline)
    if let type = ElementType(rawValue: String(decoding: begun, as: UTF8.self)) { return type }
    let type = prepared.preparation.workflow.training.precision.computeType ?? CPUDevice.fastestType
    let fact = JobAgreement.Fact(
      "the number format", type.rawValue, remedy: "set training.precision to float32 or bfloat16")
    try JobAgreement(host: host, facts: [fact]).confirm(over: transport, seconds: options.deadline)
    return type
  }

  private var host: String { ProcessInfo.processInfo.hostName }

  /// Lets all ranks go on only where each can, and with the same things.
  private func agree(_ prepare: () throws -> Prepared) throws -> Prepared {
    let prepared: Prepared
    do {
      prepared = try prepare()
    } catch {
      try JobAgreement(host: host, problem: "\(error)").confirm(over: transport, seconds: options.deadline)
      throw error
    }
    try JobAgreement(host: host, facts: facts(prepared.preparation)).confirm(
      over: transport, seconds: options.deadline)
    return prepared
  }

  /// What all ranks must have in common.
  private func facts(_ preparation: RunPreparation) -> [JobAgreement.Fact] {
    let copy = "copy the same file to every host"
    return [
      JobAgreement.Fact("the program", options.program, remedy: "install the same build on every host"),
      JobAgreement.Fact(
        "the number format on the wire", options.wire.rawValue,
        remedy: "start every rank with the same --wire"),
      JobAgreement.Fact("the workflow", preparation.workflowIdentity, remedy: copy),
      JobAgreement.Fact("the training data", preparation.dataIdentity, remedy: copy),
      JobAgreement.Fact("the validation data", preparation.validationIdentity ?? "none", remedy: copy),
      JobAgreement.Fact("the model", preparation.material.modelIdentity, remedy: copy),
    ]
  }
}

extension Workflow {
  /// Why this workflow cannot train over several devices; `nil` where it can.
  package func needsOneProcess(_ episodes: [Episode]) -> Refusal? {
    if case .adaptive = training.frozenRatio {
      return Refusal(
        file, "frozenRatio: adaptive needs the gradients of all layers in one process",
        "set training.frozenRatio to a number, or train without --cluster")
    }
    guard training.parentAnswers != .gold else { return nil }
    for task in tasks {
      for pass in forwardOnlyPasses(of: task.name)
      where episodes.contains(where: { $0.tasks[pass]?.options.isEmpty ?? false }) {
        return Refusal(
          file, "task '\(pass)' answers in free text, which a pipeline cannot generate for its children",
          "set training.parentAnswers to gold, or train without --cluster")
      }
    }
    return nil
  }
}

/// What one rank did.
package struct RankFigures: Sendable {
  /// The rank.
  package var rank: Int
  /// By window of steps, in order.
  package var windows: [WindowFigures]
}

extension RunFolder {
  /// The plan that the run was last trained by, where it is trained over several devices.
  var plan: URL { url.appendingPathComponent("plan.json") }
}
