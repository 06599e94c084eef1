import ArgumentParser
import Checkpoint
import Runs

struct TrainCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "train", abstract: "Fine-tunes the model for a workflow, phase by phase.",
    discussion: """
      Each task trains in topological order: its own rank columns train, a share (training.frozenRatio) of \
      its prerequisites' columns is frozen and the rest refined, all others are masked. The run folder \
      receives the settings, one line of metrics a step, checkpoints, and in the end the adapter.

      Ctrl-C stops after the current step, writes a checkpoint and prints the command that goes on. A run \
      that was killed goes on from its last checkpoint; either way it ends with the same bytes as one that \
      was not interrupted.

      EXAMPLE
        contexture train Examples/iov.yaml --out runs/iov
        contexture train Examples/iov.yaml --out runs/iov --resume
        contexture train Examples/iov.yaml --out runs/frozen --set training.frozenRatio=1

      \(ExitStatus.manual)
        3  interrupted; the run can be resumed
      """)

  @OptionGroup var source: WorkflowOptions
  @OptionGroup var models: ModelsFolder

  @Option(help: ArgumentHelp("The run folder to make.", valueName: "dir"))
  var out: String

  @Flag(help: "Go on with the run in that folder from its last checkpoint.")
  var resume = false

  func run() throws {
    let workflow = try source.read()
    let interrupts = Interrupts()
    let progress = TrainingProgress(phases: workflow.phaseSchedule.count)
    let training = TrainingRun(workflow, out: out, models: models.models)
    let done = try training.run(resume: resume, shouldStop: { interrupts.requested }) { event in
      try progress.show(event)
    }
    guard !done else { return }
    var command = ["contexture", "train", source.workflow, "--out", out, "--resume"]
    command += source.overrides.flatMap { ["--set", $0] }
    if models.models != ModelLocation.defaultModels { command += ["--models", models.models] }
    try Console.print(
      "Stopped at a checkpoint. To go on:\n  " + command.map(\.shellQuoted).joined(separator: " "))
    throw ExitCode(3)
  }
}

extension String {
  /// As one word of a shell command.
  fileprivate var shellQuoted: String {
    let plain = allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || "_-./=:,".contains($0)) }
    return plain && !isEmpty
      ? self : "'" + split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
  }
}
