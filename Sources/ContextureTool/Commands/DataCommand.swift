import ArgumentParser

struct DataCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "data", abstract: "Generates and checks data sets.",
    subcommands: [DataMakeCommand.self, DataCheckCommand.self])
}
