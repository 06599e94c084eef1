import ArgumentParser
import ContextGear
import Foundation
import InputErrors
import TextTables
import Workflows

struct SimulateCommand: ParsableCommand {
  enum Choice: String, CaseIterable, ExpressibleByArgument {
    case all, contextgear, single, gpipe, uniform, memory, pipedream
  }

  enum Experiment: String, CaseIterable, ExpressibleByArgument {
    case scaling = "gear-scaling"
    case ablation = "gear-ablation"
  }

  enum Format: String, CaseIterable, ExpressibleByArgument { case text, json }

  static let configuration = CommandConfiguration(
    commandName: "simulate", abstract: "Compares schedules on described devices.",
    discussion: """
      Simulates an optimiser step of each task, event by event, under ContextGear's plan and under the \
      schedules it is compared with, each with its best micro-batch size: computation, transfers, shared \
      links, pipeline fill and drain, refined columns. Handles 2 to 10,000 devices.

      SCHEDULES
        contextgear  the planner's best
        single       the fastest device alone
        gpipe        GPipe, equal cuts
        uniform      1F1B, equal cuts
        memory       1F1B, cuts in proportion to memory
        pipedream    1F1B, the cut whose slowest stage is fastest

      EXPERIMENTS
        gear-scaling   every schedule on clusters of 2, 3 and 4 Jetson modules over
                       Wi-Fi 5 and 6, 5G and Ethernet, for the tasks that have ancestors
        gear-ablation  the same clusters; ContextGear without its groups, ρ, cuts by
                       profile, or overlap

      An experiment needs no cluster file. Both use predicted parents' answers, whatever the workflow sets.

      EXAMPLE
        contexture simulate Examples/iov.yaml --cluster Examples/jetsons.yaml \\
          --set training.parentAnswers=predicted
        contexture simulate Examples/iov.yaml --experiment gear-scaling

      \(ExitStatus.manual)
      """)

  @OptionGroup var source: WorkflowOptions
  @OptionGroup var input: PlanningInput

  @Option(help: ArgumentHelp("The cluster file; docs/contextgear.md describes it.", valueName: "file"))
  var cluster: String?

  @Option(help: "The schedules to show.")
  var schedule = Choice.all

  @Option(help: "Run an experiment over built-in clusters instead.")
  var experiment: Experiment?

  @Option(help: "The output format.")
  var format = Format.text

  func validate() throws {
    if cluster == nil, experiment == nil {
      throw ValidationError("--cluster: is missing; give a cluster file, or an --experiment")
    }
    if cluster != nil, experiment != nil {
      throw ValidationError("--experiment: has clusters of its own; leave --cluster out")
    }
    if experiment != nil, input.onePipeline {
      throw ValidationError("--experiment: shows plans with and without replicas; leave --one-pipeline out")
    }
  }

  /// A schedule's figures for a task.
  private struct Row: Codable {
    var task, schedule: String
    var stepTime: Double
    var microBatch: Int
    var idle: [Double]?
    var bytes: Int?
  }

  func run() throws {
    let workflow = try source.read()
    if let experiment { return try run(experiment, workflow) }
    guard let cluster else { return }
    let machines = try Cluster(contentsOf: cluster)
    let planner = try input.planner(workflow).planner(machines)
    let (steps, tokens) = try input.planner(workflow).workloads()
    var rows: [Row] = []
    for step in steps {
      let planned = try planner.plan(step)
      if schedule == .all || schedule == .contextgear {
        rows.append(
          Row(
            task: step.trained.task, schedule: planned.name, stepTime: planned.stepTime,
            microBatch: planned.plan.pipelines[0].microBatch, idle: planned.devices.map(\.idle),
            bytes: planned.traffic.reduce(0) { $0 + $1.bytes }))
      }
      for time in planned.baselines where schedule == .all || schedule.rawValue == time.baseline.rawValue {
        rows.append(
          Row(
            task: step.trained.task, schedule: time.baseline.title, stepTime: time.stepTime,
            microBatch: time.microBatch))
      }
    }
    guard format == .text else { return try Console.printJSON(rows) }
    guard !rows.isEmpty else {
      throw Refusal(
        "--schedule \(schedule.rawValue)", "fits neither the devices' memory nor their number",
        "choose another schedule, or other devices")
    }
    var table = [["task", "schedule", "step", "k", "idle %", "wire MB"]]
    for row in rows {
      let idle = row.idle.map { $0.reduce(0, +) / Double(max($0.count, 1)) }
      table.append([
        row.task, row.schedule, String(format: "%.1f ms", row.stepTime * 1000), "\(row.microBatch)",
        idle.map { String(format: "%.1f", $0 * 100) } ?? "",
        row.bytes.map { String(format: "%.2f", Double($0) / 1e6) } ?? "",
      ])
    }
    try Console.print(
      "\(machines.name), \(machines.devices.count) devices; \(tokens)\n\n"
        + TextTable.aligned(table, right: [2, 3, 4, 5]))
  }

  private func run(_ experiment: Experiment, _ workflow: Workflow) throws {
    let late = try workflow.applying(overrides: ["training.parentAnswers=predicted"])
    let shape = try input.planner(workflow).modelShape()
    let (steps, tokens) = try input.planner(late).workloads()
    let phases = steps.filter { !$0.forwardOnly.isEmpty }
    guard !phases.isEmpty else {
      throw Refusal(
        workflow.file, "no task has parents, so there is no forward-only work",
        "give a workflow in which a task has parents")
    }
    let rows = GearExperiments.run(phases, shape: shape, ablations: experiment == .ablation)
    guard format == .text else { return try Console.printJSON(rows) }
    let text =
      experiment == .scaling ? GearExperiments.scalingText(rows) : GearExperiments.ablationText(rows)
    try Console.print("\(workflow.name), model of shape \(shape.signature); \(tokens)\n\n" + text)
  }
}
