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

/// Trains a workflow over the ranks of a job. Every rank runs it; rank 0 has the run folder.
package struct ClusterTrainingRun {
  /// How the ranks communicate and compute.
  package struct Options: Sendable {
    /// The number format of activations and gradients in messages.
    package var wire = WireFormat.bfloat16
    /// The longest wait for one message.
    package var timeout = Duration.seconds(600)
    /// Shards that this rank works on at once; `nil` uses the plan's value for its device.
    package var workers: Int?
    /// The fallback for `workers` if the plan has no value.
    package var share = 1
    /// Identifies the program; must be the same on all ranks.
    package var program = ""

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

  /// Trains to the end, or until rank 0's `shouldStop` returns `true` at a checkpoint.
  ///
  /// - Parameters:
  ///   - resume: used on rank 0 only.
  ///   - makePlan: called on rank 0.
  ///   - onEvent: called on rank 0.
  ///   - onEnd: called on rank 0 with the figures of each rank and the plan.
  /// - Returns: whether training is done; otherwise the run can be resumed.
  /// - Throws: if any rank cannot start, the same `JobRefusal` on every rank: it names the problem, the rank
  ///   and the fix, and no files are left behind. Later, the errors of the transport, the data, the model's
  ///   file or the disk.
  package func run(
    resume: Bool, makePlan: () throws -> WorkflowPlan, shouldStop: () -> Bool = { false },
    onEvent: (TrainingRun.Event) throws -> Void,
    onEnd: ([RankFigures], WorkflowPlan) throws -> Void = { _, _ in }
  ) throws -> Bool {
    let start = ContinuousClock.now
    let prepared = try agree { try prepare(resume: resume, makePlan, onEvent) }
    let (preparation, checkpoint, own) = (
      prepared.preparation, prepared.admission?.checkpoint, prepared.plan
    )
    let type = try agreedType(prepared)
    let bytes = try transport.broadcast(Array(own), timeout: options.timeout)
    guard let plan = try? JSONDecoder().decode(WorkflowPlan.self, from: Data(bytes)) else {
      throw transport.invalid("the plan", from: 0, "it is not one of this version: use one build everywhere")
    }
    try plan.check(preparation, ranks: transport.size)
    let shortage = plan.shortage(rank: transport.rank, file: workflow.file)
    let fits =
      shortage.map { JobAgreement(host: host, problem: "\($0)") } ?? JobAgreement(host: host, facts: [])
    try fits.confirm(over: transport, timeout: options.timeout)

    let device = preparation.material.device(
      workers: options.workers ?? plan.cluster.devices[transport.rank].workers ?? options.share, type: type)
    var recorder: RunRecorder?
    if let admission = prepared.admission {
      recorder = try RunRecorder(admission, preparation, precision: device.computeType.rawValue)
      try AtomicFile.write(own, to: folder.plan)
      try onEvent(
        .joined(
          model: preparation.material.modelPath, precision: device.computeType, ranks: transport.size,
          episodes: preparation.examples.episodes.count, seconds: (ContinuousClock.now - start) / .seconds(1))
      )
      if let checkpoint { try onEvent(.resumed(totalSteps: checkpoint.position.totalSteps)) }
    }
    let executor = PipelineExecutor(
      StageLink(transport, wire: options.wire, timeout: options.timeout), schedule: workflow.phaseSchedule,
      plans: Dictionary(
        plan.phases.map { ($0.workload.trained.task, $0.plan) }, uniquingKeysWith: { first, _ in first }),
      shape: plan.shape, adapter: preparation.material.freshAdapter,
      samples: preparation.examples,
      options: workflow.trainingOptions, device: device
    ) { layers, use in try preparation.material.stage(layers, on: device, use: use) }
    var windows: [WindowFigures] = []
    executor.onWindow = { windows.append($0) }
    // Steps computed with other weights, on any rank, must not be kept.
    executor.beforeGather = { try preparation.material.checkUnchanged() }
    let trainer = WorkflowTrainer(
      executor, schedule: workflow.phaseSchedule, options: workflow.trainingOptions)
    let done = try trainer.run(
      from: checkpoint, to: preparation.destination(folder), shouldStop: shouldStop
    ) { event in
      if let event = try recorder?.record(event) { try onEvent(event) }
    }
    try preparation.material.checkUnchanged()
    try withExtendedLifetime(recorder) {
      let figures = try gather(windows)
      guard transport.rank == 0 else { return }
      if done, let event = try recorder?.finish(trainer.adapter) { try onEvent(event) }
      try onEnd(figures, plan)
    }
    return done
  }

  private func gather(_ windows: [WindowFigures]) throws -> [RankFigures] {
    try transport.gather(windows, as: "its figures", timeout: options.timeout).enumerated().map {
      RankFigures(rank: $0, windows: $1)
    }
  }

  private struct Prepared {
    let preparation: RunPreparation
    /// Only on rank 0.
    var admission: RunAdmission?
    /// The number format with which a resumed run began.
    var begun: ElementType?
    var plan = Data()
  }

  private func prepare(
    resume: Bool, _ makePlan: () throws -> WorkflowPlan, _ onEvent: (TrainingRun.Event) throws -> Void
  ) throws -> Prepared {
    func report(_ event: TrainingRun.Event) throws { if transport.rank == 0 { try onEvent(event) } }
    let preparation = try RunPreparation(workflow, models: models) { try report(.preparing($0)) }
    if let refusal = workflow.needsOneProcess(preparation.examples.episodes) { throw refusal }
    let admission = transport.rank == 0 ? try folder.admit(preparation, resume: resume) : nil
    let begun = transport.rank == 0 && resume ? try folder.computeType() : nil
    let notes = try preparation.check(resumes: resume, onProgress: { try report(.preparing($0)) })
    for event in notes.events { try report(event) }
    guard transport.rank == 0 else { return Prepared(preparation: preparation) }
    let plan = try makePlan()
    try plan.check(preparation, ranks: transport.size)
    return Prepared(
      preparation: preparation, admission: admission, begun: begun, plan: try plan.json())
  }

  /// The number format of all ranks. A resumed run keeps the one it began with; in a new run, all ranks must
  /// choose the same.
  private func agreedType(_ prepared: Prepared) throws -> ElementType {
    let begun = try transport.broadcast(
      Array((prepared.begun?.rawValue ?? "").utf8), timeout: options.timeout)
    if let type = ElementType(rawValue: String(decoding: begun, as: UTF8.self)) { return type }
    let type = prepared.preparation.workflow.training.precision.computeType ?? CPUDevice.fastestType
    let fact = JobAgreement.Fact(
      "the number format", type.rawValue, remedy: "set training.precision to float32 or bfloat16")
    try JobAgreement(host: host, facts: [fact]).confirm(over: transport, timeout: options.timeout)
    return type
  }

  private var host: String { ProcessInfo.processInfo.hostName }

  /// Continues only if every rank can, and all have the same facts.
  private func agree(_ prepare: () throws -> Prepared) throws -> Prepared {
    let prepared: Prepared
    do {
      prepared = try prepare()
    } catch {
      let agreement = JobAgreement(host: host, problem: "\(error)")
      // The others refuse together; a bug of this rank stays one.
      if error is any InputError {
        try agreement.confirm(over: transport, timeout: options.timeout)
      } else {
        try? agreement.confirm(over: transport, timeout: options.timeout)
      }
      throw error
    }
    try JobAgreement(host: host, facts: facts(prepared.preparation)).confirm(
      over: transport, timeout: options.timeout)
    return prepared
  }

  /// The facts that all ranks must have in common.
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
      JobAgreement.Fact("the tokenizer", preparation.material.promptIdentity.tokenizer, remedy: copy),
      JobAgreement.Fact("the chat template", preparation.material.promptIdentity.template, remedy: copy),
    ]
  }
}

extension Workflow {
  /// The reason why this workflow cannot be trained over several devices; `nil` if it can.
  package func needsOneProcess(_ episodes: some Sequence<Episode>) -> Refusal? {
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

/// The figures of one rank.
package struct RankFigures: Sendable {
  package var rank: Int
  /// In order, one for each window of steps.
  package var windows: [WindowFigures]
}

extension RunFolder {
  /// The plan of the run's last training, if it trained over several devices.
  var plan: URL { url.appendingPathComponent("plan.json") }
}
