import ArgumentParser
import Checkpoint
import Workflows

/// Where fetched models lie.
struct ModelsFolder: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of fetched models.", valueName: "dir"))
  var models = ModelLocation.defaultModels
}

extension Precision: ExpressibleByArgument {}
