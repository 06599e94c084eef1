import ArgumentParser
import Checkpoint
import Workflows

/// The folder of fetched models.
struct ModelsFolder: ParsableArguments {
  @Option(help: ArgumentHelp("The folder of fetched models.", valueName: "dir"))
  var models = ModelLocation.defaultModels
}

extension Precision: ExpressibleByArgument {}
