import Foundation
import TestSupport
import Testing

@Suite("Data from simulated traffic") struct IoVDataTests {
  @Test func theShippedStatesGiveDataForTheExample() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let out = folder.appendingPathComponent("iov").path
      let made = try Program.run(["data", "make", "iov", "--episodes", "60", "--out", out])
      #expect(made.status == 0 && made.errors.isEmpty, "\(made)")
      #expect(
        made.output.contains(
          "\nWithout the parents' answers, the best guess that training data can teach is expected to score: "
        )
      )
      let check = try Program.run(["data", "check", out, "--workflow", "Examples/iov.yaml"])
      #expect(check.status == 0, "\(check)")
    }
  }

  @Test func withoutSUMOTheUserIsToldHowToInstallIt() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let states = folder.appendingPathComponent("s.jsonl").path
      let outcome = try Program.run(
        ["data", "make", "iov", "--simulate", states, "--out", folder.appendingPathComponent("d").path],
        shell: "export SUMO_HOME=/none")
      #expect(outcome.status == 2, "\(outcome)")
      #expect(outcome.errors.contains("sumo_states.py: SUMO"), "\(outcome)")
      #expect(
        outcome.errors.contains("apt-get install --no-install-recommends sumo sumo-tools"), "\(outcome)")
      #expect(!FileManager.default.fileExists(atPath: states))
    }
  }

  @Test func aSimulationReplacesNoFile() throws {
    try Fixtures.withTemporaryDirectory { folder in
      let states = folder.appendingPathComponent("s.jsonl")
      try Data("mine".utf8).write(to: states)
      let outcome = try Program.run(
        ["data", "make", "iov", "--simulate", states.path, "--out", folder.appendingPathComponent("d").path])
      #expect(outcome.status == 2 && outcome.errors.contains("exists already"), "\(outcome)")
      #expect(try String(contentsOf: states, encoding: .utf8) == "mine")
    }
  }
}
