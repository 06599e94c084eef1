import ContextGear
import ContextLoRA
import Foundation
import ProjectFixtures
import Testing

/// Trainings over several ranks, one job at a time.
@Suite(.serialized) enum ClusterJobs {}

/// The tiny project with a cluster file, trained through the built program.
struct ClusterProject {
  let project: TinyProject

  /// Devices of one host with fast links, described as so slow that the planner distributes the layers.
  static func cluster(_ names: [String], host: String? = "localhost") -> String {
    let devices = names.map { name in
      "  - {name: \(name), memory: 1000000000, described: {peak: 2.0e+8, efficiency: 1, overhead: 0}"
        + (host.map { ", host: \($0)}" } ?? "}")
    }
    return """
      name: bench
      devices:
      \(devices.joined(separator: "\n"))
      networks: [{name: bus, latency: 1.0e-5, bandwidth: 1.0e+9}]
      """
  }

  static func with<T>(
    devices: Int, layers: Int = 4, choosesOnly: Bool = true, _ body: (ClusterProject) throws -> T
  ) throws -> T {
    try TinyProject.with(layers: layers, choosesOnly: choosesOnly) { project in
      let here = ClusterProject(project: project)
      try here.write(cluster((0..<devices).map { "d\($0)" }), to: "cluster.yaml")
      return try body(here)
    }
  }

  func path(_ name: String) -> String { project.folder.appendingPathComponent(name).path }

  func exists(_ name: String) -> Bool { FileManager.default.fileExists(atPath: path(name)) }

  func write(_ text: String, to name: String) throws {
    try text.write(toFile: path(name), atomically: true, encoding: .utf8)
  }

  /// Writes a script that starts ranks without this program's launcher, as an Open MPI user would.
  ///
  /// - Parameter ranks: the arguments of `mpirun`; `"$@"` is the program with its arguments.
  /// - Returns: the command that starts the script.
  func writeLauncher(_ ranks: String) throws -> [String] {
    try write(
      """
      export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1 OMPI_MCA_pml=ob1
      exec $(command -v mpirun.openmpi || command -v mpirun) --oversubscribe --bind-to none \(ranks)
      """, to: "start.sh")
    return ["/bin/sh", "./start.sh"]
  }

  /// Exact on the wire, with one thread per rank.
  static let exact = ["--cluster", "cluster.yaml", "--wire", "float32", "--workers", "1", "--one-pipeline"]

  /// The arguments of `contexture train`.
  static func arguments(_ out: String, _ settings: [String], _ options: [String]) -> [String] {
    ["train", "workflow.yaml", "--out", out] + settings.flatMap { ["--set", $0] } + options
  }

  func train(
    _ out: String, _ settings: [String] = [], _ options: [String] = exact, shell: String = ":",
    under starter: [String] = []
  ) throws -> Program.Outcome {
    try Program.run(Self.arguments(out, settings, options), in: project.folder, shell: shell, under: starter)
  }

  /// Makes `contexture plan` write `plan.json`, and changes the pipeline of each task.
  func makePlan(_ settings: [String] = [], _ change: (inout Plan.Pipeline) -> Void = { _ in }) throws {
    try makePlan(settings, ofEachTask: { change(&$0.pipelines[0]) })
  }

  /// The same, but changes the whole plan of each task.
  func makePlan(_ settings: [String], ofEachTask change: (inout Plan) -> Void) throws {
    let arguments = [
      "plan", "workflow.yaml", "--cluster", "cluster.yaml", "--out", "plan.json", "--one-pipeline",
    ]
    let outcome = try Program.run(
      arguments + settings.flatMap { ["--set", $0] }, in: project.folder)
    #expect(outcome.status == 0, "\(outcome)")
    var plan = try WorkflowPlan(contentsOf: path("plan.json"))
    for index in plan.phases.indices { change(&plan.phases[index].plan) }
    try plan.json().write(to: URL(fileURLWithPath: path("plan.json")))
  }

  func plan(_ out: String) throws -> WorkflowPlan {
    try WorkflowPlan(contentsOf: path("\(out)/plan.json"))
  }

  /// The metrics without the times.
  func records(_ out: String) throws -> [StepRecord] {
    try String(contentsOfFile: path("\(out)/metrics.jsonl"), encoding: .utf8).split(separator: "\n").map {
      var record = try JSONDecoder().decode(StepRecord.self, from: Data($0.utf8))
      record.seconds = 0
      return record
    }
  }

  /// Whether a file of two runs has the same bytes.
  func isSame(_ one: String, _ other: String, file: String = "adapter.safetensors") -> Bool {
    FileManager.default.contentsEqual(atPath: path("\(one)/\(file)"), andPath: path("\(other)/\(file)"))
      && exists("\(one)/\(file)")
  }
}
