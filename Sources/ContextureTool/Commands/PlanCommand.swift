import ArgumentParser
import Checkpoint
import ContextGear
import Datasets
import Foundation
import Runs
import SafeFiles
import Workflows

extension Baseline: ExpressibleByArgument {}

struct PlanCommand: ParsableCommand {
  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "plan", abstract: "Plans a workflow's training over the devices of a cluster.",
    discussion: """
      For each task: which devices train (D_t) and which run its ancestors' passes (D_f), which device holds \
      which layers, the samples per micro-batch (k), and the share of forward-only work on D_t (ρ). Prints \
      the predicted time of an optimiser step, the idle share and memory of each device, bytes on the wire, \
      and the times of other schedules on the same devices. Up to 8 devices, the search covers every plan of \
      one pipeline, or reports that it did not. Replicated pipelines, which share a batch and sum their \
      gradients, and plans over more devices are found by a heuristic, with a bound.

      The model's sizes come from its file, or from --shape. Tokens are counted in the first \
      \(WorkflowPlanner.countedEpisodes) training episodes. If the data or the model is missing, \
      \(Int(WorkflowPlanner.defaultTokens.tokens)) tokens per sample are assumed, \
      \(Int(WorkflowPlanner.defaultTokens.labels)) of them labelled, or the values of --tokens. There is \
      forward-only work only if training.parentAnswers is not gold.

      EXAMPLE
        contexture plan Examples/iov.yaml --cluster Examples/jetsons.yaml
        contexture plan Examples/iov.yaml --cluster Examples/jetsons.yaml \\
          --set training.parentAnswers=predicted --out plan.json --gantt gantt.svg

      \(ExitStatus.manual)
      """)

  @OptionGroup var source: WorkflowOptions
  @OptionGroup var input: PlanningInput

  @Option(help: ArgumentHelp("The cluster file; docs/contextgear.md describes it.", valueName: "file"))
  var cluster: String

  @Option(help: ArgumentHelp("Also write the plan as JSON.", valueName: "file"))
  var out: String?

  @Option(help: ArgumentHelp("Also draw the first steps of the last task as SVG.", valueName: "file"))
  var gantt: String?

  @Option(
    help: ArgumentHelp(
      "Plan with this schedule instead: single, gpipe, uniform, memory or pipedream.", valueName: "schedule"))
  var baseline: Baseline?

  @Option(help: "The output format.")
  var format = Format.text

  func run() throws {
    if let out { try OutputFile.check(out) }
    if let gantt { try OutputFile.check(gantt, option: "--gantt") }
    let workflow = try source.read()
    let cluster = try Cluster(contentsOf: cluster)
    let planner = try input.planner(workflow)
    let (steps, tokens) = try planner.workloads()
    let plan = try planner.plan(cluster, steps: steps, by: baseline)
    let chart = try plan.phases.last.map { Gantt($0, try planner.planner(cluster)) }
    if let out { try AtomicFile.write(try plan.json(), to: URL(fileURLWithPath: out)) }
    if let gantt, let chart { try AtomicFile.write(chart.svg(), to: URL(fileURLWithPath: gantt)) }
    switch format {
    case .json: try Console.print(String(decoding: try plan.json(), as: UTF8.self))
    case .text:
      let task = steps.last?.trained.task ?? ""
      let picture = chart.map { "\nThe first steps of \(task)\n\n\($0.text())" } ?? ""
      let age = cluster.measured.map { "\(cluster.name) was \($0.text(now: Date()))\n" } ?? ""
      let refusal = workflow.needsOneProcess(episodes(workflow)).map {
        "Note: 'train --cluster' rejects this workflow: \($0)\n"
      }
      try Console.print(plan.text + "\n" + tokens + "\n" + age + (refusal ?? "") + picture)
    }
  }

  /// The training episodes, if there are any: a plan needs none.
  private func episodes(_ workflow: Workflow) -> EpisodeTable {
    (try? DatasetFolder(path: workflow.dataFolder).table(.train)) ?? EpisodeTable()
  }
}
