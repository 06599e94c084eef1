import ArgumentParser

struct ClusterCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "cluster", abstract: "Measures the devices and links of a cluster, or emulates one.",
    subcommands: [ClusterProfileCommand.self, ClusterEmulateCommand.self])
}
