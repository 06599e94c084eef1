import Foundation
import Glibc
import Locking
import ProjectFixtures
import RunStore
import TestSupport
import Testing

/// The store in which trainings and evaluations are recorded, and the commands that read it.
@Suite("contexture runs") struct RunStoreCommandTests {
  private func path(_ project: TinyProject, _ name: String) -> String {
    project.folder.appendingPathComponent(name).path
  }

  @discardableResult
  private func run(_ project: TinyProject, _ arguments: String..., status: Int32 = 0) throws
    -> Program.Outcome
  {
    let outcome = try Program.run(arguments, in: project.folder)
    try #require(outcome.status == status, "\(arguments) \(outcome)")
    return outcome
  }

  private func json<Value>(_ outcome: Program.Outcome, as: Value.Type = Value.self) throws -> Value {
    try #require(try JSONSerialization.jsonObject(with: Data(outcome.output.utf8)) as? Value)
  }

  private func lines(_ project: TinyProject, _ file: String) -> Int {
    (FileManager.default.contents(atPath: path(project, file)) ?? Data()).count { $0 == 10 }
  }

  @Test func aStoppedEvaluationIsStoppedInTheStore() throws {
    try ClusterProject.with(devices: 1) { here in
      let project = here.project
      try run(project, "train", "workflow.yaml", "--out", "run")
      let file = URL(fileURLWithPath: path(project, "data/test.jsonl"))
      let line = try #require(try String(contentsOf: file, encoding: .utf8).split(separator: "\n").first)
      let many = (0..<20_000).map { line.replacing("\"e20\"", with: "\"e\($0)\"") }
      try #require(many[1] != line)
      try many.joined(separator: "\n").write(to: file, atomically: true, encoding: .utf8)
      let running = try RunningTraining(
        here, ["evaluate", "run", "--predictions", "answers.jsonl"], out: "none")
      func newest() throws -> RunSummary? {
        try RunStore(reading: path(project, RunStore.defaultName)).runs().first
      }
      try running.wait(for: "evaluation") { (try? newest())?.kind == "evaluate" }
      running.signal(SIGINT)
      let outcome = try running.end().outcome
      #expect(outcome.status == 3 && outcome.output.isEmpty, "\(outcome)")
      #expect(try newest()?.state == .stopped)
      #expect(!FileManager.default.fileExists(atPath: path(project, "answers.jsonl")))
    }
  }

  @Test func trainingsAndEvaluationsAreListedShownAndCompared() throws {
    try TinyProject.with { project in
      try run(project, "train", "workflow.yaml", "--out", "runs/first", "--set", "training.validateEvery=2")
      try run(
        project, "train", "workflow.yaml", "--out", "runs/second", "--set", "training.learningRate=1e-3")
      for name in ["first", "second"] { try run(project, "evaluate", "runs/\(name)") }

      let list: [[String: Any]] = try json(run(project, "runs", "list", "--format", "json"))
      #expect(list.map { $0["kind"] as? String } == ["evaluate", "evaluate", "train", "train"])
      #expect(list.map { $0["name"] as? String } == ["second", "first", "second", "first"])
      #expect(list.allSatisfy { $0["state"] as? String == "finished" })
      // A training has the accuracy of its evaluation.
      for index in 0..<2 {
        #expect(list[index]["accuracy"] as? Double == list[index + 2]["accuracy"] as? Double)
        #expect(list[index]["subject"] as? String == list[index + 2]["id"] as? String)
      }
      #expect(list[3]["steps"] as? Int == lines(project, "runs/first/metrics.jsonl"))
      let text = try run(project, "runs", "list").output
      #expect(text.split(separator: "\n").count == 5 && text.hasPrefix("id "), "\(text)")

      let first = try #require(list[3]["id"] as? String)
      let details: [String: Any] = try json(run(project, "runs", "show", "runs/first", "--format", "json"))
      #expect((details["summary"] as? [String: Any])?["id"] as? String == first)
      let yaml = try String(contentsOfFile: path(project, "runs/first/workflow.yaml"), encoding: .utf8)
      #expect(details["yaml"] as? String == yaml)
      let phases = try #require(details["phases"] as? [[String: Any]])
      #expect(phases.map { $0["task"] as? String } == ["colour", "mood", "note"])
      #expect(phases.allSatisfy { $0["lastValidation"] != nil })
      let sums = try #require(details["checksums"] as? [[String: String]])
      #expect(sums.map { $0["file"] } == ["adapter.safetensors"] && sums[0]["sha256"]?.count == 64)

      let shown = try run(project, "runs", "show", String(first.prefix(11))).output
      for part in [
        "Settings\n", "training.learningRate", "Environment\n", "Phases\n", "Evaluation, test split",
      ] {
        #expect(shown.contains(part), "\(shown)")
      }
      let compared = try run(project, "runs", "compare", "runs/first", "runs/second").output
      for part in [
        "Settings that differ\n  training.", "training.validateEvery", "colour, gold", "every task right",
      ] {
        #expect(compared.contains(part), "\(compared)")
      }
      #expect(!compared.contains("lora.rank") && !compared.contains("different data"))
      let comparison: [String: Any] = try json(
        run(project, "runs", "compare", "runs/first", "runs/second", "runs/first", "--format", "json"))
      #expect((comparison["accuracies"] as? [[String: Any]])?.count == 3)
      #expect((comparison["steps"] as? [Int])?.count == 3)
    }
  }

  @Test func aStoreCanBeElsewhereOrLeftOut() throws {
    try TinyProject.with { project in
      let short = ["training.maxSteps=1"].flatMap { ["--set", $0] }
      func train(_ out: String, _ options: String..., status: Int32 = 0) throws -> Program.Outcome {
        let outcome = try Program.run(
          ["train", "workflow.yaml", "--out", out] + short + options, in: project.folder)
        #expect(outcome.status == status, "\(outcome)")
        return outcome
      }
      _ = try train("a", "--no-store")
      #expect(!FileManager.default.fileExists(atPath: path(project, RunStore.defaultName)))
      _ = try train("b", "--store", "data/mine")
      #expect(try RunStore(reading: path(project, "data/mine")).runs().map(\.name) == ["b"])
      #expect(!FileManager.default.fileExists(atPath: path(project, RunStore.defaultName)))

      // One that was asked for is refused before anything is done; another one is reported, once.
      let text = "not a database, but a text of more than sixteen bytes"
      for name in ["text", RunStore.defaultName] {
        try text.write(toFile: path(project, name), atomically: true, encoding: .utf8)
      }
      let refused = try train("c", "--store", "text", status: 2)
      #expect(refused.errors.hasPrefix("contexture: text: is not a store of runs; "), "\(refused)")
      #expect(!FileManager.default.fileExists(atPath: path(project, "c")))
      let warned = try train("d")
      #expect(warned.errors.components(separatedBy: "warning: contexture.sqlite: is not a store").count == 2)
      #expect(FileManager.default.fileExists(atPath: path(project, "d/adapter.safetensors")))
      let evaluated = try run(project, "evaluate", "d", "--limit", "1")
      #expect(evaluated.errors.contains("warning: contexture.sqlite: is not a store"))
      for name in ["text", RunStore.defaultName] {
        #expect(try String(contentsOfFile: path(project, name), encoding: .utf8) == text)
      }
    }
  }

  @Test func severalTrainingsRecordIntoOneStoreAtOnce() throws {
    try TinyProject.with { project in
      let failures = Locked<[String]>([])
      DispatchQueue.concurrentPerform(iterations: 3) { index in
        do {
          let outcome = try Program.run(
            ["train", "workflow.yaml", "--out", "run\(index)", "--set", "training.epochs=3"],
            in: project.folder)
          if outcome.status != 0 || !outcome.errors.isEmpty { failures.withLock { $0.append("\(outcome)") } }
        } catch { failures.withLock { $0.append("\(error)") } }
      }
      #expect(failures.withLock { $0 } == [])
      let runs = try RunStore(reading: path(project, RunStore.defaultName)).runs()
      #expect(Set(runs.map(\.name)) == ["run0", "run1", "run2"])
      for run in runs {
        #expect(run.state == .finished && run.steps == lines(project, "\(run.name)/metrics.jsonl"))
      }
    }
  }

  /// What was recorded before a process is killed stays, and the run resumes as the same one.
  @Test func aKilledTrainingIsInTheStoreAndResumesAsTheSameRun() throws {
    try ClusterProject.with(devices: 1) { here in
      let project = here.project
      let words = [
        "train", "workflow.yaml", "--out", "run", "--tensorboard", "events", "--set", "training.epochs=40",
        "--set", "training.checkpointEvery=7",
      ]
      let training = try RunningTraining(here, words, out: "run")
      try training.wait(forSteps: 20)
      let file = path(project, RunStore.defaultName)
      let written = lines(project, "run/metrics.jsonl")
      // Batches are half a second apart; nothing but time writes them.
      try training.wait(for: "batch in the store") {
        ((try? RunStore(reading: file).runs())?.first?.steps ?? 0) >= written
      }
      training.signal(SIGKILL)
      _ = try training.end()
      let killed = try #require(try RunStore(reading: file).runs().first)
      #expect(killed.state == .running && killed.ended == nil && killed.steps >= written)
      #expect(killed.steps <= lines(project, "run/metrics.jsonl"))

      let resumed = try Program.run(
        words + ["--resume", "--set", "training.epochs=40"], in: project.folder)
      #expect(resumed.status == 0, "\(resumed)")
      let runs = try RunStore(reading: file).runs()
      #expect(runs.count == 1 && runs[0].id == killed.id && runs[0].state == .finished)
      let steps = lines(project, "run/metrics.jsonl")
      let details = try RunStore(reading: file).details(of: killed.id)
      #expect(runs[0].steps == steps && details.phases.map(\.steps).reduce(0, +) == steps)
      #expect(details.sessions.count == 2)
      try expectEvents(in: path(project, "events"), steps: steps)
    }
  }

  /// Records of the last second are lost with the process, but not those before the checkpoint from which it resumes: they
  /// would be missing for good.
  @Test func aResumedRunHasEveryStepInTheStore() throws {
    try ClusterProject.with(devices: 1) { here in
      let project = here.project
      let words = [
        "train", "workflow.yaml", "--out", "run", "--set", "training.epochs=40", "--set",
        "training.checkpointEvery=1",
      ]
      let training = try RunningTraining(here, words, out: "run")
      // Faster than the batches, which are half a second apart.
      try training.wait(forSteps: 5)
      training.signal(SIGKILL)
      _ = try training.end()
      let resumed = try Program.run(words + ["--resume"], in: project.folder)
      #expect(resumed.status == 0, "\(resumed)")
      let store = try RunStore(reading: path(project, RunStore.defaultName))
      let run = try #require(try store.runs().first)
      let steps = try store.details(of: run.id).phases.map(\.steps).reduce(0, +)
      #expect(steps == lines(project, "run/metrics.jsonl") && run.steps == steps)
    }
  }

  /// TensorBoard's own reader finds each step once.
  private func expectEvents(in folder: String, steps: Int) throws {
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).count == 2)
    guard let python = ProcessInfo.processInfo.environment["CONTEXTURE_TENSORBOARD_PYTHON"] else { return }
    let read = try Program.run(
      [Fixtures.url("tensorboard/read.py").path, folder], program: URL(fileURLWithPath: python))
    let shown: [String: Any] = try json(read)
    let scalars = try #require(shown["scalars"] as? [String: [[Double]]])
    for name in ["loss", "gradient_norm", "learning_rate"] {
      let found = ["colour", "mood", "note"].flatMap { scalars["\(name)/\($0)"] ?? [] }.map { $0[0] }
      #expect(found == (1...steps).map(Double.init))
    }
    let text = try #require((shown["texts"] as? [String: String])?["workflow"])
    #expect(text.hasPrefix(#"    name: "tiny""#), "\(text)")
  }

  @Test func aFolderWithEventsOfAnotherRunIsRefused() throws {
    try TinyProject.with { project in
      let events = project.folder.appendingPathComponent("events")
      try FileManager.default.createDirectory(at: events, withIntermediateDirectories: true)
      try Data().write(to: events.appendingPathComponent("events.out.tfevents.1.host"))
      let outcome = try run(
        project, "train", "workflow.yaml", "--out", "run", "--tensorboard", "events", status: 2)
      #expect(outcome.errors.hasPrefix("contexture: events: has the events of another run"), "\(outcome)")
      #expect(!FileManager.default.fileExists(atPath: project.out))
    }
  }

  @Test func aFailedTrainingHasItsMessage() throws {
    try TinyProject.with { project in
      try run(
        project, "train", "workflow.yaml", "--out", "run", "--set", "training.learningRate=1e30", "--set",
        "training.clipNorm=null", status: 2)
      let runs = try RunStore(reading: path(project, RunStore.defaultName)).runs()
      #expect(runs.count == 1 && runs[0].state.text == "failed")
      #expect(runs[0].message?.contains("is not finite; lower training.learningRate") == true, "\(runs)")
    }
  }

  @Test func textOfTheStoreIsShownEscaped() throws {
    let hostile = "x\u{1B}]0;title\u{7}\u{1B}[2J\u{9B}31m\u{202E}y\nz\r"
    try Fixtures.withTemporaryDirectory { folder in
      let file = folder.appendingPathComponent("s").path
      let store = try RunStore(file)
      var ids: [String] = []
      for value in ["1", "2"] {
        var description = RunDescription(.train, name: hostile, folder: "/\(hostile)")
        (description.workflow, description.yaml, description.model) = (hostile, hostile, hostile)
        description.settings = [.init(hostile, hostile + value)]
        let run = try store.begin(
          description, in: RunEnvironment(program: hostile, instructionSet: hostile + value))
        run.record(StepMetrics(task: hostile, step: 1, totalStep: 1, loss: 1))
        run.record(RunWarning(totalStep: 1, kind: hostile, task: hostile, text: hostile))
        run.record(
          EvaluationRecord(
            split: hostile, data: hostile, episodes: 1, allRight: 1,
            tasks: [.init(task: hostile, gold: (1, 1), chained: (1, 1))]))
        run.record(file: hostile, checksum: hostile)
        run.finish(.failed(hostile))
        ids.append(run.id)
      }
      var experiments: [String] = []
      for value in ["1", "2"] {
        var measurement = MeasurementRecord(
          checksum: hostile, experiments: [hostile], benchmark: hostile, method: hostile, seed: 1)
        measurement.state = .known
        measurement.values = [
          .init(task: hostile, "gold", 1), .init("steps", 1e300), .init("tokens", -1e300),
        ]
        let run = try store.begin(
          RunDescription(.experiment, name: hostile + value, folder: hostile),
          in: RunEnvironment(program: hostile, instructionSet: hostile), measurements: [measurement])
        run.finish(.failed(hostile))
        experiments.append(run.id)
      }
      for words in [
        ["list"], ["show", ids[0]], ["compare"] + ids, ["show", hostile], ["show", experiments[0]],
        ["compare"] + experiments,
      ] {
        for format in ["text", "json"] {
          let outcome = try Program.run(["runs"] + words + ["--store", "s", "--format", format], in: folder)
          HostileTextTests().expectSafe(outcome)
          #expect(outcome.status == (words == ["show", hostile] ? 2 : 0), "\(outcome)")
        }
      }
    }
  }
}
