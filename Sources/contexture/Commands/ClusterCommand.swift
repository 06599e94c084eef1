import ArgumentParser

struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Emulates clusters.",
    subcommands: [ClusterEmulateCommand.self])
}
