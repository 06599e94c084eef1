import Experiments
import Foundation
import Glibc
import ProjectFixtures
import RunStore
import Testing

/// Experiments in the store of runs, and reports on runs of the store.
@Suite("contexture experiment and the store") struct ExperimentStoreTests {
  private func path(_ project: TinyProject, _ name: String) -> String {
    project.folder.appendingPathComponent(name).path
  }

  @discardableResult
  private func run(_ project: TinyProject, _ arguments: [String], status: Int32 = 0) throws
    -> Program.Outcome
  {
    let outcome = try Program.run(arguments, in: project.folder)
    try #require(outcome.status == status, "\(arguments) \(outcome)")
    return outcome
  }

  private func store(_ project: TinyProject, _ name: String = RunStore.defaultName) throws -> RunStore {
    try RunStore(reading: path(project, name))
  }

  private func experiment(_ more: String...) -> [String] {
    ["experiment", "table", "--workflow", "workflow.yaml", "--quick", "--test", "4", "--steps", "1"] + more
  }

  private func report(_ project: TinyProject, _ arguments: String...) throws -> String {
    try run(project, ["report"] + arguments)
    return try String(contentsOfFile: path(project, "report.html"), encoding: .utf8)
  }

  @Test func anExperimentIsListedShownComparedAndReported() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let first = try run(project, experiment("--methods", "zero-shot,joint", "--seeds", "1,2"))
      #expect(!first.errors.contains("warning"), "\(first)")
      let summary = try #require(try store(project).runs().first)
      #expect(summary.kind == "experiment" && summary.name == "table" && summary.folder == "experiments")
      #expect(summary.state == .finished && summary.measurements == .init(done: 4, planned: 4))
      let details = try store(project).details(of: summary.id)
      for measurement in details.measurements {
        #expect(measurement.state == .measured && measurement.experiments == ["table"])
        #expect(measurement.benchmark == "tiny" && measurement.checksum.count == 64)
        for task in ["colour", "mood", "note"] {
          #expect(
            measurement.value("gold", task: task) != nil && measurement.value("chained", task: task) != nil)
        }
        for metric in ["allRight", "parameters", "steps", "tokens", "seconds", "episodes"] {
          #expect(measurement.value(metric) != nil, "\(metric)")
        }
        let file = path(project, "experiments/\(measurement.checksum.prefix(24)).json")
        #expect(FileManager.default.fileExists(atPath: file))
      }
      #expect(details.sessions.count == 1 && details.yaml?.hasPrefix("name: ") == true)
      #expect(details.settings.contains(.init("seeds", "1, 2")))

      let list = try run(project, ["runs", "list"]).output
      #expect(list.contains("4 of 4 measurements"), "\(list)")
      let shown = try run(project, ["runs", "show", "experiments"]).output
      for part in [
        "progress   4 of 4 measurements", "  tiny       joint         2", "measured", "testEpisodes",
      ] {
        #expect(shown.contains(part), "\(part): \(shown)")
      }

      let drawn = try run(
        project, experiment("--methods", "zero-shot,joint", "--seeds", "1,2", "--figures", "figures"))
      #expect(drawn.output == first.output)
      let figure = try String(contentsOfFile: path(project, "figures/table-tiny.svg"), encoding: .utf8)
      #expect(figure.contains("tiny: every task right, chained") && figure.contains("zero-shot"))

      // Again: the same run and the same bytes. With one more method: another run, which knows the results.
      let again = try run(project, experiment("--methods", "zero-shot,joint", "--seeds", "1,2"))
      #expect(again.output == first.output)
      #expect(try store(project).runs().map(\.id) == [summary.id])
      #expect(try store(project).details(of: summary.id).measurements == details.measurements)
      try run(project, experiment("--methods", "zero-shot,joint,sequential", "--seeds", "2"))
      let runs = try store(project).runs()
      let other = try store(project).details(of: runs[0].id)
      #expect(runs.count == 2 && other.summary.measurements == .init(done: 3, planned: 3))
      #expect(other.measurements.map(\.state) == [.known, .known, .measured])
      #expect(other.measurements[0].value("seconds") == nil && other.measurements[0].value("allRight") != nil)

      let compared = try run(project, ["runs", "compare", summary.id, runs[0].id]).output
      for part in [
        "seeds", "Measurements that all have", "joint", "same", "Measurements that not all have: 2, 1.",
      ] {
        #expect(compared.contains(part), "\(part): \(compared)")
      }
      try run(project, ["runs", "compare", summary.id, runs[0].id, "--format", "json"])

      let html = try report(project, summary.id)
      #expect(html.contains("<p>table: Finished: 4 of 4 measurements.</p>") && !html.contains("sequential"))
      #expect(try report(project, runs[0].id).contains("sequential"))
      #expect(try report(project, "experiments").contains("sequential"))
    }
  }

  /// Stopped by Ctrl-C and by SIGKILL between measurements, and continued.
  @Test func anInterruptedExperimentContinuesAsTheSameRun() throws {
    try ClusterProject.with(devices: 1) { here in
      let project = here.project
      let seeds = (1...30).map(String.init).joined(separator: ",")
      let words = experiment("--methods", "joint", "--seeds", seeds, "--out", "results/e")
      func files() -> Int {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: path(project, "results/e"))) ?? []
        return names.count { $0.hasSuffix(".json") }
      }
      func start(until count: Int, _ number: Int32) throws -> Program.Outcome {
        let running = try RunningTraining(here, words, out: "none")
        try running.wait(for: "results") { files() >= count }
        running.signal(number)
        return try running.end().outcome
      }
      let name = "results/" + RunStore.defaultName
      let stopped = try start(until: 1, SIGINT)
      #expect(stopped.status == 3, "\(stopped)")
      let first = try #require(try store(project, name).runs().first)
      #expect(first.state == .stopped && first.measurements == .init(done: files(), planned: 30))
      var html = try report(project, first.id, "--store", name)
      #expect(html.contains("table: Not finished: stopped; \(files()) of 30 measurements."))

      _ = try start(until: files() + 1, SIGKILL)
      let killed = try #require(try store(project, name).runs().first)
      #expect(killed.id == first.id && killed.ended == nil)
      // A run is looked for after a minute without a sign of life, which this test may take.
      #expect([.running, .died(step: nil)].contains(killed.state))
      html = try report(project, "--experiments", "results/e")
      #expect(
        html.contains("table in results/e: Running: ")
          || html.contains("table in results/e: Not finished: its process died"))

      let last = try run(project, words)
      let end = try store(project, name).runs()
      #expect(end.map(\.id) == [first.id] && end[0].state == .finished)
      #expect(end[0].measurements == .init(done: 30, planned: 30))
      let details = try store(project, name).details(of: first.id)
      #expect(details.sessions.count == 3)
      // The same table as without interruptions.
      let whole = try run(project, words.dropLast() + ["whole", "--no-store"])
      #expect(whole.output == last.output)
      #expect(!FileManager.default.fileExists(atPath: path(project, RunStore.defaultName)))
    }
  }

  /// A result that says that it is of another machine.
  @Test func resultsOfOtherMachinesCountIfAsked() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let file = path(project, "workflow.yaml")
      let text = try String(contentsOfFile: file, encoding: .utf8)
      try text.replacing("  precision: float32\n", with: "")
        .replacing("\n  precision: float32", with: "").write(toFile: file, atomically: true, encoding: .utf8)
      let words = experiment("--methods", "zero-shot,joint")
      let first = try run(project, words)
      let store = CellStore(path(project, "experiments"))
      let results = try store.all()
      try FileManager.default.removeItem(atPath: path(project, "experiments"))
      for var result in results {
        let lines = result.key.split(separator: "\n", omittingEmptySubsequences: false)
        let elsewhere = result.machine == "base" ? "float32 avx2" : "float32 base"
        result.key = (lines.dropLast() + [elsewhere[...]]).joined(separator: "\n")
        result.machine = result.machine == "base" ? "avx2" : "base"
        result.precision = "float32"
        try store.write(result)
      }
      let other = try run(project, words + ["--any-machine"])
      #expect(other.output == first.output && !other.errors.contains("joint"), "\(other)")
      let summary = try #require(try self.store(project).runs().first)
      #expect(summary.measurements == .init(done: 2, planned: 2))
      #expect(try report(project, summary.id).contains("Finished: 2 of 2 measurements."))
      // Without the flag they are measured here.
      let here = try run(project, words)
      #expect(here.output == first.output && here.errors.contains("joint"))
      #expect(try store.all().count == 4)
    }
  }

  @Test func figuresOfWorkflowsOfOneNameAreTwoFiles() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try FileManager.default.copyItem(
        atPath: path(project, "workflow.yaml"), toPath: path(project, "b.yaml"))
      try run(
        project,
        experiment("--methods", "zero-shot", "--workflow", "b.yaml", "--figures", "figures"))
      let names = try FileManager.default.contentsOfDirectory(atPath: path(project, "figures")).sorted()
      #expect(names == ["table-tiny-2.svg", "table-tiny.svg"])
    }
  }

  @Test func chosenMethodsAreThoseOfEveryExperiment() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let words = ["--workflow", "workflow.yaml", "--quick", "--test", "4", "--steps", "1", "--methods"]
      try run(project, ["experiment", "noise", "rounds"] + words + ["joint"])
      let runs = try store(project).runs()
      // `rounds` has no joint LoRA: nothing of it is measured.
      #expect(runs.map(\.measurements) == [.init(done: 2, planned: 2)], "\(runs)")
      let named = "context-ancestors-d0.5-r2"
      try run(project, ["experiment", "rounds", "noise", "--out", "b"] + words + [named])
      #expect(try store(project).runs().contains { $0.measurements == .init(done: 1, planned: 1) })
      let refused = try run(
        project, ["experiment", "rounds", "delta"] + words + ["\(named),joint"], status: 2)
      #expect(
        refused.errors.hasPrefix(
          "contexture: --methods joint: is not a method of rounds, delta; give some of context-ancestors-d0.5, "
        ),
        "\(refused)")
    }
  }

  @Test func chosenWorldsAloneAreMade() throws {
    try TinyProject.with(choosesOnly: true) { project in
      func refused(_ words: String...) throws -> String {
        try run(project, ["experiment"] + words, status: 2).errors
      }
      #expect(
        try refused("scale", "--quick", "--worlds", "chain-8").hasPrefix(
          "contexture: --worlds chain-8: is not measured with --quick; give some of chain-2, chain-4, "))
      #expect(
        try refused("scale", "--worlds", "chain-3").hasPrefix(
          "contexture: --worlds chain-3: is not a world of scale; give some of chain-2, chain-4, "))
      for list in ["", "chain-2,", "chain-2,chain-2"] {
        #expect(
          try refused("scale", "--worlds", list)
            == "contexture: --worlds '\(list)': is not a list of different worlds; write them as in --worlds "
            + "chain-2,tree-4\n")
      }
      #expect(
        try refused("noise", "--worlds", "chain-2", "--workflow", "workflow.yaml").hasPrefix(
          "contexture: --worlds: has no meaning for noise; leave it out"))
      // The project does not have the model of these worlds, which is noticed when their data is there.
      _ = try refused("scale", "--worlds", "tree-4,chain-2", "--out", "out")
      let made = try FileManager.default.contentsOfDirectory(atPath: path(project, "out/worlds")).sorted()
      #expect(made == ["chain-2", "tree-4"])
    }
  }

  @Test func aTrainingThatDivergesDoesNotEndAnExperiment() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let file = path(project, "workflow.yaml")
      let text = try String(contentsOfFile: file, encoding: .utf8)
        .replacing(#/learningRate: \S+/#, with: "learningRate: 1e38")
      try #require(text.contains("1e38"))
      try text.write(toFile: file, atomically: true, encoding: .utf8)
      let words = experiment("--methods", "joint,zero-shot", "--format", "json")
      let failed = try run(project, words, status: 2)
      let last = try #require(failed.errors.split(separator: "\n").last)
      #expect(last.hasPrefix("contexture: tiny, joint, seed 1: task '"), "\(failed)")
      let results = try JSONDecoder().decode([CellResult].self, from: Data(failed.output.utf8))
      #expect(results.map(\.method) == ["zero-shot"])
      let summary = try #require(try store(project).runs().first)
      #expect(summary.measurements == .init(done: 1, planned: 2))
    }
  }

  @Test func resultsOfSeveralExperimentsAreOneJSONArray() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let words = experiment("noise", "--methods", "zero-shot,joint", "--format", "json")
      let results = try JSONDecoder().decode([CellResult].self, from: Data(run(project, words).output.utf8))
      #expect(results.map(\.method) == ["zero-shot", "joint", "joint", "joint"])
      #expect(results.map(\.variant) == ["", "", "", "colour 10 % wrong"])
    }
  }

  @Test func scaleNeedsNoBenchmarks() throws {
    try TinyProject.with(choosesOnly: true) { project in
      // It does need the model of its worlds.
      let refused = try run(project, ["experiment", "scale", "--quick"], status: 2)
      #expect(refused.errors.contains("smollm2-135m") && !refused.errors.contains("--workflow"), "\(refused)")
    }
  }

  @Test func aStoreThatCannotBeUsedDoesNotEndAnExperiment() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let text = "not a database, but a text of more than sixteen bytes"
      for name in ["text", RunStore.defaultName] {
        try text.write(toFile: path(project, name), atomically: true, encoding: .utf8)
      }
      let words = experiment("--methods", "zero-shot")
      let refused = try run(project, words + ["--store", "text"], status: 2)
      #expect(refused.errors.hasPrefix("contexture: text: is not a store of runs; "), "\(refused)")
      #expect(!FileManager.default.fileExists(atPath: path(project, "experiments")))
      let warned = try run(project, words)
      #expect(warned.errors.components(separatedBy: "warning: contexture.sqlite: is not a store").count == 2)
      #expect(warned.output.contains("zero-shot"))
      // The folder is enough for a report.
      #expect(try report(project, "--experiments", "experiments").contains("zero-shot"))
      for name in ["text", RunStore.defaultName] {
        #expect(try String(contentsOfFile: path(project, name), encoding: .utf8) == text)
      }
    }
  }

  @Test func aStoreOfANewerVersionIsRefusedOrLeft() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let words = experiment("--methods", "zero-shot")
      try run(project, words)
      let file = URL(fileURLWithPath: path(project, RunStore.defaultName))
      // Closing the last connection moves everything into this one file.
      _ = try RunStore(file.path).runs()
      var bytes = try Data(contentsOf: file)
      // SQLite's user_version, big-endian.
      bytes.replaceSubrange(60..<64, with: [0, 0, 0, 99])
      try bytes.write(to: file)
      let refused = try run(project, words + ["--store", RunStore.defaultName], status: 2)
      #expect(refused.errors.contains("was made by a newer version of contexture (format 99"), "\(refused)")
      let warned = try run(project, words)
      #expect(warned.errors.contains("warning: contexture.sqlite: was made by a newer version"), "\(warned)")
      let after = try Data(contentsOf: file)
      #expect(warned.output.contains("zero-shot") && after == bytes)
      let unread = try run(project, ["report", "ab"], status: 2)
      #expect(unread.errors.contains("was made by a newer version"), "\(unread)")
    }
  }

  @Test func aFailedExperimentHasItsMessage() throws {
    try TinyProject.with(choosesOnly: true) { project in
      let file = path(project, "workflow.yaml")
      let text = try String(contentsOfFile: file, encoding: .utf8)
      try text.replacing("learningRate: 5e-3", with: "learningRate: 1e30\n  clipNorm: null")
        .write(toFile: file, atomically: true, encoding: .utf8)
      try run(project, experiment("--methods", "joint"), status: 2)
      let run = try #require(try store(project).runs().first)
      #expect(run.state.text == "failed" && run.measurements == .init(done: 0, planned: 1))
      #expect(run.message?.contains("is not finite") == true, "\(run)")
      #expect(try report(project, run.id).contains("Not finished: failed ("))
    }
  }

  @Test func reportsAreOnRunsOfTheStore() throws {
    try TinyProject.with(choosesOnly: true) { project in
      try run(project, ["train", "workflow.yaml", "--out", "runs/a", "--set", "training.maxSteps=2"])
      try run(project, ["evaluate", "runs/a", "--limit", "2"])
      let name = "runs/" + RunStore.defaultName
      let runs = try store(project, name).runs()
      for run in runs {
        #expect(try report(project, run.id).contains("Finished after"), "\(run.kind)")
        #expect(try report(project, run.id, "--store", name).contains("Finished after"), "\(run.kind)")
      }
      // With the answers of the last evaluation of the run itself.
      for other in [["--base"], ["--split", "valid"]] {
        try run(project, ["evaluate", "runs/a", "--limit", "1"] + other)
      }
      #expect(try report(project, "runs/a").contains(" of 2 episodes."))
      try run(project, ["evaluate", "runs/a", "--limit", "3"])
      #expect(try report(project, "runs/a").contains(" of 3 episodes."))
      try run(project, experiment("--methods", "zero-shot", "--store", name))
      let both = try run(project, ["runs", "compare", "experiments", "runs/a", "--store", name], status: 2)
      #expect(both.errors.contains("is an experiment, and \(runs[1].id) is not"), "\(both)")

      let unknown = try run(project, ["report", "nothing", "--store", name], status: 2)
      #expect(unknown.errors.contains("has no run 'nothing'"), "\(unknown)")
      let folder = try run(project, ["report", "data"], status: 2)
      #expect(folder.errors.contains("is not a run"), "\(folder)")
      try FileManager.default.removeItem(atPath: path(project, "runs/a"))
      let gone = try run(project, ["report", runs[1].id], status: 2)
      #expect(gone.errors.contains("is not there any more") && gone.errors.contains(runs[1].id), "\(gone)")
    }
  }

  @Test func aReportOnATrainingThatDiedOrFailedBeginsWithThat() throws {
    try ClusterProject.with(devices: 1) { here in
      let project = here.project
      let training = try RunningTraining(
        here, ["train", "workflow.yaml", "--out", "run", "--set", "training.epochs=100"], out: "run")
      try training.wait(forSteps: 5)
      let running = try report(project, "run")
      #expect(running.contains("<p class=\"state\">A process is training, at step "))
      training.signal(SIGKILL)
      _ = try training.end()
      let id = try #require(try store(project).runs().first?.id)
      for name in ["run", id] {
        #expect(
          try report(project, name).contains("<p class=\"state\">Not finished: its process died, at step "))
      }
      try FileManager.default.removeItem(atPath: path(project, RunStore.defaultName))
      #expect(try report(project, "run").contains("<p class=\"state\">Not finished: stopped, at step "))

      let words = ["train", "workflow.yaml", "--out", "bad", "--set", "training.learningRate=1e30"]
      try run(project, words + ["--set", "training.clipNorm=null"], status: 2)
      #expect(try report(project, "bad").contains("<p class=\"state\">Not finished: failed, at step "))
    }
  }
}
