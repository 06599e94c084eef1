import ArgumentParser
import Checkpoint
import ContextGear
import Foundation
import InputErrors
import Transport
import Workflows

/// How a command runs over several devices.
struct JobOptions: ParsableArguments {
  private static let defaultWire = WireFormat.bfloat16
  private static let defaultDeadline = 600.0

  @Option(
    help: ArgumentHelp(
      "Train over the devices of this cluster file; 'contexture cluster profile' writes one.",
      valueName: "file"))
  var cluster: String?

  @Option(
    help: ArgumentHelp("A plan from 'contexture plan --out', instead of planning now.", valueName: "file"))
  var plan: String?

  @Option(help: "The format in which activations and gradients are sent: float32, bfloat16 or int8.")
  var wire = Self.defaultWire

  @Option(help: "The longest wait for one message, in seconds.")
  var deadline = Self.defaultDeadline

  @Option(help: "Threads per rank. Default: the cluster file's, or the host's cores divided by its ranks.")
  var workers: Int?

  @Flag(
    help: "When a rank or a host fails, plan again over the remaining devices and resume.")
  var elastic = false

  func validate() throws {
    guard deadline > 0, deadline <= 1e6 else {
      throw ValidationError("--deadline: \(deadline) is not valid; use seconds above 0, at most 1000000")
    }
    if let workers, workers < 1 || workers > 1024 {
      throw ValidationError("--workers: \(workers) is outside 1...1024")
    }
  }

  /// Refuses options that have no meaning in one process.
  func refuseWithoutCluster(_ input: PlanningInput) throws(Refusal) {
    for (name, isGiven) in [
      ("--plan", plan != nil), ("--elastic", elastic), ("--workers", workers != nil),
      ("--shape", input.shape != nil), ("--tokens", !input.tokens.isEmpty),
      ("--one-pipeline", input.onePipeline),
    ] where isGiven {
      throw Refusal(
        name, "needs several devices", "give --cluster FILE, or leave \(name) out")
    }
  }

  /// These options as arguments for another call of this program; defaults are left out.
  var arguments: [String] {
    var arguments: [String] = []
    if let cluster { arguments += ["--cluster", cluster] }
    if let plan { arguments += ["--plan", plan] }
    if wire != Self.defaultWire { arguments += ["--wire", wire.rawValue] }
    if deadline != Self.defaultDeadline { arguments += ["--deadline", "\(deadline)"] }
    if let workers { arguments += ["--workers", "\(workers)"] }
    if elastic { arguments.append("--elastic") }
    return arguments
  }

  /// The devices passed on by the launcher, or those of the cluster file.
  func readCluster() throws -> Cluster {
    guard let cluster else { preconditionFailure("asked for a cluster that was not given") }
    return try HandedCluster.read(ProcessInfo.processInfo.environment) ?? Cluster(contentsOf: cluster)
  }

  /// The given plan, or a new one.
  func workflowPlan(_ workflow: Workflow, _ input: PlanningInput) throws -> WorkflowPlan {
    let machines = try readCluster()
    if let plan {
      let given = try WorkflowPlan(contentsOf: plan)
      guard given.cluster.devices.map(\.name) == machines.devices.map(\.name) else {
        throw Refusal(
          plan,
          "is for the devices \(given.cluster.devices.map(\.name).joined(separator: ", ")), but the "
            + "cluster has \(machines.devices.map(\.name).joined(separator: ", "))",
          "make the plan again for this cluster file, or leave --plan out")
      }
      return given
    }
    var planner = try input.planner(workflow)
    planner.wire = wire
    return try planner.plan(machines, levels: false)
  }
}

extension WireFormat: ExpressibleByArgument {}
