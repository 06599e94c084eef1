import ArgumentParser
import Datasets
import StrictYAML
import Workflows

/// A workflow file, and values that override its settings.
struct WorkflowOptions: ParsableArguments {
  @Argument(help: ArgumentHelp("The workflow file.", valueName: "workflow.yaml"))
  var workflow: String

  @Option(
    name: .customLong("set"), parsing: .singleValue,
    help: ArgumentHelp(
      "Overrides a value of the file: a dotted path and YAML, as in training.learningRate=5e-4. Repeatable.",
      valueName: "field=value"))
  var overrides: [String] = []

  /// Reads and checks the workflow.
  func read() throws(FieldError) -> Workflow {
    try Workflow(contentsOf: workflow, overrides: overrides)
  }
}

extension Workflow {
  /// The parts of an episode that its tasks need.
  var datasetTasks: [DatasetTask] {
    tasks.map { DatasetTask(name: $0.name, inputs: $0.inputs, parents: $0.parents) }
  }
}
