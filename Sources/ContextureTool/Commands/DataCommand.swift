import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Generates, shows and checks data sets.",
    subcommands: [DataMakeCommand.self, DataShowCommand.self, DataCheckCommand.self])
}
