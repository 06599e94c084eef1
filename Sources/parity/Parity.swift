import ArgumentParser

/// Compares this project's numbers with those of other implementations.
@main
struct Parity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "Print logits and replay trainings, to compare with other implementations.",
    subcommands: [LogitsCommand.self, TrainCommand.self, ThroughputCommand.self])
}
