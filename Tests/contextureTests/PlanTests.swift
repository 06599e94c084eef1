import Foundation
import ProjectFixtures
import Testing

@Suite("contexture plan") struct PlanTests {
  /// 'plan' says what 'train --cluster' would refuse, and which devices have no part.
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
      #expect(sound.status == 0 && !sound.output.contains("refuses this workflow"), "\(sound)")
      #expect(
        sound.output.contains("Not used, because no link or network joins them to the others: alone\n"),
        "\(sound)")
      let adaptive = try plan("--set", "training.frozenRatio=adaptive")
      #expect(adaptive.output.contains("Note: 'train --cluster' refuses this workflow: "), "\(adaptive)")
    }
  }
}
