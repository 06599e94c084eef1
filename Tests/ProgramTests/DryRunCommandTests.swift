import Foundation
import ProjectFixtures
import Runs
import Testing

/// The figures of a training that has not started.
@Suite("contexture train --dry-run") struct DryRunCommandTests {
  private func contents(_ project: TinyProject) throws -> [String] {
    try FileManager.default.subpathsOfDirectory(atPath: project.folder.path).sorted()
  }

  @Test func textAndJSONHoldEveryPhaseAndNothingIsWritten() throws {
    try TinyProject.with { project in
      let before = try contents(project)
      let arguments = ["train", "workflow.yaml", "--dry-run", "--steps", "1"]
      let shown = try Program.run(arguments, in: project.folder)
      #expect(shown.status == 0, "\(shown)")
      #expect(shown.errors == "[1/3] colour\n[2/3] mood\n[3/3] note\n")
      let lines = shown.output.split(separator: "\n")
      let rows = lines.map { $0.split(separator: " ", omittingEmptySubsequences: true).map(String.init) }
      #expect(rows.contains { $0.prefix(6) == ["1", "colour", "2", "0", "4", "4"] }, "\(shown)")
      #expect(rows.contains { $0.prefix(6) == ["3", "note", "4", "2", "0", "4"] }, "\(shown)")
      #expect(lines.contains { $0.hasPrefix("Memory  ") } && lines.contains { $0.hasPrefix("Time    ") })

      let json = try Program.run(arguments + ["--format", "json", "--out", "run"], in: project.folder)
      #expect(json.status == 0, "\(json)")
      let estimate = try JSONDecoder().decode(TrainingEstimate.self, from: Data(json.output.utf8))
      #expect(estimate.phases.map(\.task) == ["colour", "mood", "note"] && estimate.measuredSteps == 1)
      #expect(try contents(project) == before)
    }
  }

  @Test func whatATrainingRefusesIsRefused() throws {
    try TinyProject.with { project in
      func refused(_ options: [String], _ problem: String) throws {
        let outcome = try Program.run(["train", "workflow.yaml", "--dry-run"] + options, in: project.folder)
        #expect(outcome.status == 2 && outcome.output.isEmpty, "\(outcome)")
        #expect(outcome.errors.contains(problem), "\(outcome)")
      }
      try refused(["--out", "data"], "is not empty (it holds test.jsonl); choose a new or empty folder")
      try refused(["--set", "lora.firstLayer=2"], "lora.firstLayer: 2 is outside the 2 layers of ")
      try refused(["--elastic"], "--elastic: needs several devices")
      let file = project.folder.appendingPathComponent("data/train.jsonl")
      try "{".write(to: file, atomically: true, encoding: .utf8)
      try refused([], "data/train.jsonl:1: ")
    }
  }
}
