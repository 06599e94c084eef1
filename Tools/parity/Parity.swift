import ArgumentParser

/// Compares this project's numbers with those of other implementations.
@main
struct Parity: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "parity",
    abstract: "Print logits and replay trainings, to compare with other implementations.",
    discussion: """
      EXIT CODES
        0  done
        1  an error of the program itself
        2  wrong input: a message on standard error gives the place, the problem and the fix
      """,
    subcommands: [LogitsCommand.self, TrainCommand.self, ThroughputCommand.self])

  static func main() {
    do {
      var command = try parseAsRoot()
      try command.run()
    } catch {
      ExitStatus.end(after: error)
    }
  }
}
