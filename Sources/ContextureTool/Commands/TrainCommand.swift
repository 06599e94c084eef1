import ArgumentParser
import Checkpoint
import ClusterLaunch
import ContextGear
import Foundation
import RunStore
import Runs
import SafeFiles
import Transport
import Workflows

struct TrainCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Fine-tunes the model for a workflow, phase by phase.",
    discussion: """
      The tasks train in topological order: a task's own rank columns train, a share (training.frozenRatio) \
      of its prerequisites' columns is frozen and the rest refined, and all others are masked. The run \
      folder receives the settings, one line of metrics per step, checkpoints, and finally the adapter.

      Every training.validateEvery steps, the phase is measured on validation episodes: its best state is \
      kept, it ends when nothing improves, and it gets more steps while it is still learning, up to \
      training.budget. A phase that does not learn is reported, with the setting to change.

      Ctrl-C stops after the current step, writes a checkpoint and prints the command that resumes. A run \
      that was killed resumes from its last checkpoint. Either way it ends with the same bytes as an \
      uninterrupted run.

      The run is also recorded in a store, which 'contexture runs' lists, shows and compares. A store that cannot \
      be written does not end the training. With --tensorboard, event files for TensorBoard are written.

      With --cluster, the layers are distributed over the devices of a cluster file, by a plan like that of \
      'contexture plan': mpirun starts one rank on each device, and the run folder is on the first device. \
      Program, workflow, data and model must be at the same paths on every host. If mpirun or srun started \
      this command, it is a rank of that job. Over a cluster, Ctrl-C stops at the next checkpoint.

      With --dry-run, nothing is trained or written: the first steps of each phase run on an adapter that is \
      thrown away, and steps, tokens, columns, peak memory and time of the whole training are estimated from \
      them. It makes the same checks as training, including those of --out if given.

      EXAMPLE
        contexture train Examples/iov.yaml --dry-run
        contexture train Examples/iov.yaml --out runs/iov
        contexture train Examples/iov.yaml --out runs/iov --resume
        contexture train Examples/iov.yaml --out runs/frozen \\
          --set training.frozenRatio=0.5
        contexture train Examples/iov.yaml --out runs/b --tensorboard events/b
        contexture train Examples/iov.yaml --out runs/lab --cluster lab.yaml

      \(ExitStatus.manual)
        3  interrupted; the run can be resumed
        4  a rank or a host failed; the message names it, and the run can be resumed
      """)

  @OptionGroup var source: WorkflowOptions
  @OptionGroup var input: PlanningInput
  @OptionGroup var job: JobOptions

  @Option(
    name: .customLong("out"),
    help: ArgumentHelp("The run folder to create; optional with --dry-run.", valueName: "dir"))
  var givenOut: String?

  @OptionGroup var storage: StoreOptions

  @Option(
    help: ArgumentHelp(
      "Write event files for TensorBoard into this folder, for this run alone.", valueName: "dir"))
  var tensorboard: String?

  @Flag(help: "Estimate memory and time from the first steps of each phase; train and write nothing.")
  var dryRun = false

  @Option(
    help: "With --dry-run: optimiser steps timed in each phase, after an untimed one (default: 3).")
  var steps: Int?

  @Option(help: "With --dry-run: the output format.")
  var format = Format.text

  @Flag(help: "Resume the run in that folder from its last checkpoint.")
  var resume = false

  @Flag(
    help: ArgumentHelp("Like --resume if the run has begun; for jobs that restart.", visibility: .hidden)
  )
  var resumeIfBegun = false

  /// Whether to continue the run in the folder.
  private var goesOn: Bool { resume || (resumeIfBegun && RunFolder(out).hasBegun) }
  /// The run folder; `validate()` ensures that it is given if one is created.
  private var out: String { givenOut ?? "" }

  func validate() throws {
    guard dryRun else {
      if givenOut == nil {
        throw ValidationError("--out: is missing; give the run folder to create, or --dry-run")
      }
      if steps != nil {
        throw ValidationError("--steps: is for --dry-run; give that too, or set training.maxSteps")
      }
      if format != .text {
        throw ValidationError("--format: is for --dry-run; give that too, or leave it out")
      }
      return
    }
    if job.cluster != nil {
      throw ValidationError(
        "--dry-run: runs in one process; for several devices use 'contexture plan --cluster'")
    }
    if resume || resumeIfBegun {
      throw ValidationError("--dry-run: estimates training from its start; leave --resume out")
    }
    if storage.store != nil || tensorboard != nil {
      throw ValidationError("--dry-run: records nothing; leave --store and --tensorboard out")
    }
    if let steps, !(1...1000).contains(steps) {
      throw ValidationError("--steps: \(steps) is outside 1...1000")
    }
  }

  func run() throws {
    Allocation.returnLargeBlocks()
    let workflow = try source.read()
    if dryRun { return try estimate(workflow) }
    guard job.cluster != nil else {
      try job.refuseWithoutCluster(input)
      let interrupts = Interrupts()
      let progress = TrainingProgress(workflow)
      let training = TrainingRun(workflow, out: out, models: input.models.models)
      let done = try recording(workflow) { records in
        try training.run(resume: goesOn, shouldStop: { interrupts.requested }) { event in
          records?.record(event)
          try progress.show(event)
        }
      }
      return try end(done)
    }
    let environment = ProcessInfo.processInfo.environment
    if let place = try JobEnvironment.detect(environment) {
      let interrupts = Interrupts(stopping: nil)
      try ClusterRank(place: place).run { transport, share in
        try train(workflow, over: transport, share: share, interrupts)
      }
    } else {
      try launch(workflow)
    }
  }

  /// Trains with records of the run, and records how it ended.
  ///
  /// - Parameter isRecorded: whether this process has the run folder.
  private func recording(
    _ workflow: Workflow, isRecorded: Bool = true, _ train: (TrainingRecords?) throws -> Bool
  ) throws -> Bool {
    guard isRecorded else { return try train(nil) }
    let records = try TrainingRecords(
      workflow, out: out, resumes: goesOn, store: storage, eventsFolder: tensorboard)
    do {
      let done = try train(records)
      records.finish(done ? .finished : .stopped)
      return done
    } catch {
      records.finish(.failed("\(error)"))
      throw error
    }
  }

  /// Runs the first steps and shows the estimated cost of the whole training.
  private func estimate(_ workflow: Workflow) throws {
    try job.refuseWithoutCluster(input)
    let scratch = FileManager.default.temporaryDirectory.appendingPathComponent(
      "contexture-dry-run-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: scratch) }
    let interrupts = Interrupts()
    let dryRun = DryRun(workflow, out: givenOut, models: input.models.models, steps: steps ?? 3)
    let preparation = PreparationProgress()
    let estimate = try dryRun.run(
      scratch: scratch, shouldStop: { interrupts.requested }, onProgress: { preparation.show($0) }
    ) { phase, count in
      Console.complain(inOneLine: "[\(phase.index + 1)/\(count)] \(phase.task)")
    }
    guard let estimate else { throw ExitCode(ExitStatus.interrupted) }
    switch format {
    case .json: try Console.printJSON(estimate)
    case .text: try Console.print(DryRunReport(estimate).text)
    }
  }

  /// Trains in this process as a rank of a job.
  private func train(
    _ workflow: Workflow, over transport: any Transport, share: Int, _ interrupts: Interrupts
  ) throws {
    var options = ClusterTrainingRun.Options()
    options.wire = job.wire
    options.timeout = .seconds(job.deadline)
    (options.workers, options.share) = (job.workers, share)
    options.program = try FileChecksum.sha256(of: URL(fileURLWithPath: "/proc/self/exe"))
    let progress = TrainingProgress(
      workflow, isRank: true, hasLauncher: HandedCluster.isThere(ProcessInfo.processInfo.environment))
    let training = ClusterTrainingRun(
      workflow, out: out, models: input.models.models, over: transport, options: options)
    let done = try recording(workflow, isRecorded: transport.rank == 0) { records in
      try training.run(resume: goesOn) {
        try job.workflowPlan(workflow, input)
      } shouldStop: {
        interrupts.requested
      } onEvent: { event in
        records?.record(event)
        try progress.show(event)
      } onEnd: { figures, plan in
        let compared = ClusterFigures(figures, plan: plan)
        do { try compared.append(to: RunFolder(out).figures) } catch {
          Console.complain(inOneLine: "warning: \(error)")
        }
        try Console.report(compared.text)
      }
    }
    guard transport.rank == 0 else { return }
    try end(done)
  }

  /// Starts the job on the cluster's hosts. If it is elastic, restarts it over the remaining ones.
  private func launch(_ workflow: Workflow) throws {
    let clusterJob = ClusterJob(job: job, run: RunFolder(out)) { job in
      var arguments = ["train", source.workflow, "--out", out]
      arguments += source.overrides.flatMap { ["--set", $0] }
      return arguments + recordArguments + input.arguments + job.arguments
    }
    try clusterJob.run(resume: resume)
  }

  /// Where the run is recorded, as arguments for another call of this program.
  private var recordArguments: [String] {
    storage.arguments + (tensorboard.map { ["--tensorboard", $0] } ?? [])
  }

  private func end(_ done: Bool) throws {
    guard !done else { return }
    guard RunFolder(out).hasBegun else {
      try Console.report("Stopped before the first step; nothing was written.")
      throw ExitCode(ExitStatus.interrupted)
    }
    var command = ["contexture", "train", source.workflow, "--out", out, "--resume"]
    command += source.overrides.flatMap { ["--set", $0] }
    command += recordArguments + input.arguments + job.arguments
    try Console.report(
      "Stopped at a checkpoint. To resume:\n  " + command.map(\.shellQuoted).joined(separator: " "))
    throw ExitCode(ExitStatus.interrupted)
  }
}

extension String {
  /// Quoted as one shell argument.
  var shellQuoted: String {
    let plain = allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-./=:,".contains($0)) }
    return plain && !isEmpty
      ? self : "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
