import ArgumentParser
import Checkpoint
import Runs
import Workflows

/// The inputs of `plan` and `simulate` besides a cluster: the model's sizes and the tokens of each task.
struct PlanningInput: ParsableArguments {
  @OptionGroup var models: ModelsFolder

  @Option(
    help: ArgumentHelp(
      "A YAML file with the model's sizes (layers, hidden, heads, feedForward, vocabulary, …), instead of the "
        + "workflow's model.", valueName: "file"))
  var shape: String?

  @Option(
    parsing: .singleValue,
    help: ArgumentHelp(
      "A task's tokens per sample and how many of them are labelled, instead of counting them. Repeatable.",
      valueName: "task=tokens,labels"))
  var tokens: [String] = []

  @Flag(
    help: "Plan without replicas that share a batch: they add gradients in another order than one process.")
  var onePipeline = false

  /// These options as arguments for another call of this program.
  var words: [String] {
    var words: [String] = []
    if models.models != ModelLocation.defaultModels { words += ["--models", models.models] }
    if let shape { words += ["--shape", shape] }
    if onePipeline { words.append("--one-pipeline") }
    return words + tokens.flatMap { ["--tokens", $0] }
  }

  /// The planner for a workflow with these options.
  func planner(_ workflow: Workflow) -> WorkflowPlanner {
    var planner = WorkflowPlanner(workflow, models: models.models)
    (planner.shape, planner.tokens, planner.mayReplicate) = (shape, tokens, !onePipeline)
    return planner
  }
}
