import ArgumentParser
import Checkpoint
import ContextGear
import InputErrors
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
  var arguments: [String] {
    var arguments: [String] = []
    if models.models != ModelLocation.defaultModels { arguments += ["--models", models.models] }
    if let shape { arguments += ["--shape", shape] }
    if onePipeline { arguments.append("--one-pipeline") }
    return arguments + tokens.flatMap { ["--tokens", $0] }
  }

  /// The planner for a workflow with these options.
  ///
  /// - Throws: `Refusal` if --tokens is not valid.
  func planner(_ workflow: Workflow) throws(Refusal) -> WorkflowPlanner {
    var planner = WorkflowPlanner(workflow, models: models.models)
    (planner.shape, planner.mayReplicate) = (shape, !onePipeline)
    planner.tokens = try givenTokens(workflow)
    return planner
  }

  private func givenTokens(_ workflow: Workflow) throws(Refusal) -> [String: Workload.Pass] {
    var passes: [String: Workload.Pass] = [:]
    for text in tokens {
      let parts = text.split(separator: "=", maxSplits: 1).map(String.init)
      let numbers = (parts.last ?? "").split(separator: ",").map { Double($0) }
      guard parts.count == 2, numbers.count == 2, let all = numbers[0], let labels = numbers[1],
        (1...1e6).contains(all), (0...all).contains(labels)
      else {
        throw Refusal(
          "--tokens \(text)", "is not a task with two numbers",
          "write it as in --tokens decide=180,8")
      }
      guard workflow.task(parts[0]) != nil else {
        throw Refusal(
          "--tokens \(text)", "the workflow has no task '\(parts[0])'",
          "name one of \(workflow.tasks.map(\.name).joined(separator: ", "))")
      }
      passes[parts[0]] = Workload.Pass(task: parts[0], tokens: all, labels: labels)
    }
    return passes
  }
}
