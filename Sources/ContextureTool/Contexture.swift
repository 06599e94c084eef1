import ArgumentParser

/// The root command. To add a command, add a file in `Commands/` and its name in `subcommands`.
@main
struct Contexture: ParsableCommand {
  static let version = "0.1.0"

  static let configuration = CommandConfiguration(
    commandName: "contexture",
    abstract: "Fine-tunes one language model for a workflow of dependent tasks, and runs it.",
    discussion: """
      A workflow is a YAML file: the tasks, which answers each of them reads, the model, the data, and how \
      to train. A run is the folder that training writes.

      EXAMPLE
        contexture model fetch smollm2-135m
        contexture data make iov --episodes 1000 --seed 7 --out data/iov
        contexture graph Examples/iov.yaml

      \(ExitStatus.manual)
      """,
    version: version,
    subcommands: [
      ModelCommand.self, GraphCommand.self, DataCommand.self, PromptCommand.self, TrainCommand.self,
      EvaluateCommand.self, RunsCommand.self, ReportCommand.self, RunCommand.self, ExportCommand.self,
      ScoreCommand.self, PlanCommand.self, SimulateCommand.self, ClusterCommand.self,
      ExperimentCommand.self,
    ])

  static func main() {
    // If the reader closes the pipe (`contexture graph W.yaml | head`), handle that where output is written.
    ExitStatus.ignoreBrokenPipes()
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      ExitStatus.end(after: error)
    }
  }
}
