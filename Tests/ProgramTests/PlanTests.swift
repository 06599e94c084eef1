import ContextGear
import Foundation
import ProjectFixtures
import Testing

@Suite("contexture plan") struct PlanTests {
  /// 'plan' reports what 'train --cluster' would refuse, and unused devices.
  @Test func aPlanNamesWhatCannotBe() throws {
    try TinyProject.with { project in
      try """
      devices: [{kind: orin-nano, count: 2}, {kind: orin-nano, name: alone}]
      networks: [{kind: ethernet, devices: [orin-nano-1, orin-nano-2]}]
      """.write(
        to: project.folder.appendingPathComponent("cluster.yaml"), atomically: true, encoding: .utf8)
      func plan(_ options: String...) throws -> Program.Outcome {
        try Program.run(["plan", "workflow.yaml", "--cluster", "cluster.yaml"] + options, in: project.folder)
      }
      let sound = try plan()
      #expect(sound.status == 0 && !sound.output.contains("rejects this workflow"), "\(sound)")
      #expect(
        sound.output.contains("Not used, because no link or network connects them to the others: alone\n"),
        "\(sound)")
      let adaptive = try plan("--set", "training.frozenRatio=adaptive")
      #expect(adaptive.output.contains("Note: 'train --cluster' rejects this workflow: "), "\(adaptive)")
    }
  }

  /// The trainer merges frozen columns into the weights only if nothing else computes with them.
  @Test(arguments: [
    ([], false), (["training.validateEvery=0"], true), (["training.frozenRatio=1"], true),
    (["training.validateEvery=0", "training.parentAnswers=predicted"], false),
  ]) func frozenColumnsArePricedAsTheyAreComputed(_ settings: [String], _ merges: Bool) throws {
    try TinyProject.with(choosesOnly: true) { project in
      try "devices: [{kind: orin-nano, count: 2}]\nnetworks: [{kind: ethernet}]".write(
        to: project.folder.appendingPathComponent("cluster.yaml"), atomically: true, encoding: .utf8)
      let arguments = ["plan", "workflow.yaml", "--cluster", "cluster.yaml", "--out", "plan.json"]
      let all = ["training.validateEvery=25"] + settings
      let outcome = try Program.run(arguments + all.flatMap { ["--set", $0] }, in: project.folder)
      #expect(outcome.status == 0, "\(outcome)")
      let plan = try WorkflowPlan(contentsOf: project.folder.appendingPathComponent("plan.json").path)
      let mood = try #require(plan.phases.first { $0.workload.trained.task == "mood" })
      #expect(mood.workload.trained.columns?.mayMerge == merges)
    }
  }
}
