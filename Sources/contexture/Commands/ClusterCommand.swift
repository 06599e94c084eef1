import ArgumentParser

struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Measures the devices and links that training is planned over.",
    subcommands: [
      ClusterProfileCommand.self
    ])
}
