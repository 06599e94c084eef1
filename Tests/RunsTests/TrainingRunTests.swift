import Checkpoint
import ContextLoRA
import Datasets
import Foundation
import ProjectFixtures
import Runs
import SafeFiles
import Tensor
import TestSupport
import Testing
import Workflows

/// Runs from the workflow file to the adapter.
struct TrainingRunTests {
  private struct Killed: Error {}

  private func train(
    _ project: TinyProject, _ workflow: Workflow, out: String? = nil, resume: Bool = false,
    killAfter step: Int? = nil, like expected: [StepRecord] = []
  ) throws -> Bool {
    let run = TrainingRun(workflow, out: out ?? project.out, models: project.folder.path)
    return try run.run(resume: resume) { event in
      guard case .training(.step(let record), let laterSteps) = event else { return }
      // The steps planned for later phases do not depend on where the run was resumed.
      if !expected.isEmpty { #expect(laterSteps == expected.count { $0.phase > record.phase }) }
      if record.totalStep == step { throw Killed() }
    }
  }

  /// The metrics without the times.
  private func records(_ folder: String) throws -> [StepRecord] {
    try String(contentsOfFile: folder + "/metrics.jsonl", encoding: .utf8).split(separator: "\n").map {
      var record = try JSONDecoder().decode(StepRecord.self, from: Data($0.utf8))
      record.seconds = 0
      return record
    }
  }

  @Test(
    "killed anywhere and resumed: the same adapter, checkpoint and metrics",
    arguments: ["gold", "predicted", "mixed(0.5)"])
  func killedAndResumed(parentAnswers: String) throws {
    try TinyProject.with { project in
      let workflow = try project.workflow("training.parentAnswers=\(parentAnswers)")
      let whole = project.folder.appendingPathComponent("whole").path
      #expect(try train(project, workflow, out: whole))
      let expected = try records(whole)
      #expect(expected.count == 12)
      for step in [1, 2, 3, 5, 8, 11] {
        let out = project.folder.appendingPathComponent("killed-\(step)").path
        #expect(throws: Killed.self) { try train(project, workflow, out: out, killAfter: step) }
        #expect(try train(project, workflow, out: out, resume: true, like: expected))
        for file in ["adapter.safetensors", "checkpoint.safetensors"] {
          #expect(FileManager.default.contentsEqual(atPath: "\(whole)/\(file)", andPath: "\(out)/\(file)"))
        }
        #expect(try records(out) == expected, "killed after step \(step)")
      }
    }
  }

  @Test("an incomplete line loses only itself, and metrics are never dropped silently")
  func damagedMetrics() throws {
    try TinyProject.with { project in
      let workflow = try project.workflow()
      #expect(throws: Killed.self) { try train(project, workflow, killAfter: 6) }
      let url = URL(fileURLWithPath: project.out + "/metrics.jsonl")
      let before = try records(project.out).prefix(6)
      let whole = try Data(contentsOf: url)
      // The disk was full in the middle of a two-byte character, and a step is duplicated.
      // A damaged line of a step after the checkpoint is dropped with that step.
      try (whole + Data("no step\n{\"task\":\"h".utf8) + [0xC3]).write(to: url)
      #expect(try train(project, workflow, resume: true))
      #expect(try Array(records(project.out).prefix(6)) == Array(before))
      #expect(try records(project.out).map(\.totalStep) == Array(1...12))

      let other = project.folder.appendingPathComponent("other").path
      #expect(throws: Killed.self) { try train(project, workflow, out: other, killAfter: 6) }
      let damaged = URL(fileURLWithPath: other + "/metrics.jsonl")
      try (Data("no step\n".utf8) + (try Data(contentsOf: damaged))).write(to: damaged)
      #expect {
        _ = try train(project, workflow, out: other, resume: true)
      } throws: {
        "\($0)".contains("metrics.jsonl:1: is damaged; remove the line")
      }
    }
  }

  @Test(
    "an existing file of the run that cannot be read is an error, not treated as empty",
    arguments: ["metrics.jsonl", "warnings.jsonl", "decisions.jsonl"])
  func unreadable(name: String) throws {
    try TinyProject.with { project in
      let workflow = try project.workflow()
      #expect(throws: Killed.self) { try train(project, workflow, killAfter: 6) }
      let file = URL(fileURLWithPath: project.out).appendingPathComponent(name)
      try? FileManager.default.removeItem(at: file)
      try FileManager.default.createDirectory(at: file, withIntermediateDirectories: false)
      #expect {
        _ = try train(project, workflow, resume: true)
      } throws: {
        "\($0)".contains("\(name): is not a regular file; give the path of a file")
      }
    }
  }

  @Test("a run is trained by one process at a time")
  func inUse() throws {
    try TinyProject.with { project in
      let workflow = try project.workflow()
      #expect(throws: Killed.self) { try train(project, workflow, killAfter: 3) }
      let manifest = URL(fileURLWithPath: project.out + "/run.json")
      let error = try withExtendedLifetime(FileLock(manifest)) {
        #expect(throws: FileError.self) { try train(project, workflow, resume: true) }
      }
      #expect(error?.description.contains("run.json: is in use by process \(getpid()); ") == true)
      #expect(try train(project, workflow, resume: true))
    }
  }

  @Test(
    "validation and test episodes that do not fit the context are refused before training",
    arguments: ["valid", "test"])
  func longEpisodesOfOtherSplits(split: String) throws {
    try TinyProject.with { project in
      let file = project.folder.appendingPathComponent("data/\(split).jsonl")
      let text = try String(contentsOf: file, encoding: .utf8)
      let long = text.replacingOccurrences(
        of: ", number", with: String(repeating: " x", count: 400) + ", number")
      try long.write(to: file, atomically: true, encoding: .utf8)
      let workflow = try project.workflow("training.maxSteps=1")
      #expect {
        _ = try train(project, workflow)
      } throws: {
        "\($0)".contains("data/\(split).jsonl:") && "\($0)".contains("exceed the context of 256")
          && !FileManager.default.fileExists(atPath: project.out)
      }
      // What training does not use may be missing.
      try FileManager.default.removeItem(at: file)
      #expect(try train(project, workflow))
      // A run that has begun resumes.
      try long.write(to: file, atomically: true, encoding: .utf8)
      #expect(try train(project, workflow, resume: true))
    }
  }

  @Test("gold answers that are longer than generated ones may be are reported before training")
  func longGoldAnswers() throws {
    try TinyProject.with { project in
      var (told, progress): ([String], [DataPreparation]) = ([], [])
      let workflow = try project.workflow("tasks.note.maxTokens=1", "training.maxSteps=1")
      _ = try TrainingRun(workflow, out: project.out, models: project.folder.path).run(resume: false) {
        event in
        switch event {
        case .longAnswers(let answers): told.append(answers.text)
        case .preparing(let done): progress.append(done)
        default: break
        }
      }
      #expect(
        told.count == 3 && told[0].contains("data/train.jsonl: 14 of 14 gold answers of note"), "\(told)")
      #expect(
        told[2].contains("data/test.jsonl: 10 of 10") && told[2].contains("set tasks.note.maxTokens to"))
      #expect(progress.contains { $0.stage == .rendering && $0.all == 14 })
      // The limit is kept in the run.
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      let report = try trained.evaluator().evaluate(trained.episodes(.test))
      #expect(trained.workflow.task("note")?.answerTokens == 1)
      #expect(report.tasks[2].gold.count == 10 && report.tasks[2].gold.correct == 0)
    }
  }

  @Test(
    "files that training does not use are reported, not refused",
    arguments: [
      ("test", "", "has no episodes"), ("valid", "", "has no episodes"),
      ("test", "{bad\n", "data/test.jsonl:1"), ("test", "without answers", "data/test.jsonl:1: tasks."),
    ])
  func unusedFiles(split: String, content: String, told expected: String) throws {
    try TinyProject.with { project in
      let file = project.folder.appendingPathComponent("data/\(split).jsonl")
      let text = try String(contentsOf: file, encoding: .utf8)
      let hidden = text.replacing(#/"answer" *: *("[^"]*"|\d+) *, */#, with: "")
      #expect(hidden != text)
      try (content == "without answers" ? hidden : content).write(to: file, atomically: true, encoding: .utf8)
      let workflow = try project.workflow("training.maxSteps=1")
      var told: [String] = []
      let run = TrainingRun(workflow, out: project.out, models: project.folder.path)
      #expect(
        try run.run(resume: false) { event in
          if case .unreadFile(let file) = event { told.append(file.text) }
        })
      #expect(told.count == 1 && told[0].contains("data/\(split).jsonl"), "\(told)")
      #expect(told[0].contains(expected), "\(told)")
      #expect(told[0].hasSuffix(" (training continues, because it does not use this file)"), "\(told)")
      let estimate = try DryRun(workflow, out: nil, models: project.folder.path, steps: 1).run(
        scratch: project.folder.appendingPathComponent("scratch"))
      #expect(estimate?.unreadFiles.map(\.text) == told)
      // What training uses is still refused.
      guard split == "valid" else { return }
      let validates = try project.workflow("training.validateEvery=1", "training.maxSteps=1")
      #expect(throws: EpisodeFileError.self) {
        try train(project, validates, out: project.folder.path + "/other")
      }
    }
  }

  @Test(
    "generated answers are shortened to the context; options that could exceed it are refused before training"
  )
  func longPredictions() throws {
    try TinyProject.with { project in
      let original = try String(contentsOfFile: project.workflowFile, encoding: .utf8)
      let generating = original.replacing("parents: [colour, mood]}", with: "}")
        .replacing("inputs: [scene], parents: [colour]", with: "parents: [note]")
      try generating.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let file = project.folder.appendingPathComponent("model/config.json")
      let configuration = try String(contentsOf: file, encoding: .utf8)
      func outcome(_ parentAnswers: String) throws -> String {
        let workflow = try project.workflow(
          "training.parentAnswers=\(parentAnswers)", "training.maxSteps=2")
        let out = project.folder.appendingPathComponent(UUID().uuidString).path
        var cut = 0
        do {
          let run = TrainingRun(workflow, out: out, models: project.folder.path)
          guard
            try run.run(
              resume: false,
              onEvent: { event in
                if case .promptsCut("mood", let count) = event { cut += count }
              })
          else { return "stopped" }
          return "trained" + (cut > 0 ? " with shortened answers" : "")
        } catch {
          return "\(error)"
        }
      }
      // The shortest context, to within 16 tokens, that fits the gold answers; a predicted note may have 64.
      let shortest = try stride(from: 32, through: 256, by: 16).first { context in
        try configuration.replacing("256", with: "\(context)").write(
          to: file, atomically: true, encoding: .utf8)
        return try outcome("gold") == "trained"
      }
      #expect(shortest ?? 256 < 128)
      #expect(try outcome("predicted") == "trained with shortened answers")
      try configuration.write(to: file, atomically: true, encoding: .utf8)
      #expect(try outcome("predicted") == "trained")

      // An option that is no gold answer, and that a long question has no room for.
      try original.write(toFile: project.workflowFile, atomically: true, encoding: .utf8)
      let train = project.folder.appendingPathComponent("data/train.jsonl")
      let long = String(repeating: " x", count: 130)
      try String(contentsOf: train, encoding: .utf8).replacing("\"blue\"", with: "\"blue\",\"pink\(long)\"")
        .replacing("\"How?\"", with: "\"How\(long)?\"").write(to: train, atomically: true, encoding: .utf8)
      #expect(try outcome("gold") == "trained")
      let refusal = try outcome("predicted")
      #expect(refusal.contains("train.jsonl:1: episode 'e0', task 'mood': "), "\(refusal)")
      #expect(
        refusal.contains(
          "tokens exceed the context of 256 if the predicted answers of colour are their longest options; "
            + "shorten its inputs or these options"), "\(refusal)")
    }
  }

  @Test("training learns: the last losses are well below the first")
  func learns() throws {
    try TinyProject.with { project in
      #expect(try train(project, project.workflow("training.epochs=12", "training.learningRate=1e-2")))
      let colour = try records(project.out).filter { $0.task == "colour" }.map(\.loss)
      #expect((colour.last ?? .infinity) < 0.8 * (colour.first ?? 0))
    }
  }

  @Test("a run that cannot start reports the reason and leaves nothing behind")
  func refusals() throws {
    try TinyProject.with { project in
      func message(_ body: () throws -> Void) -> String {
        do {
          try body()
          return ""
        } catch { return "\(error)" }
      }
      #expect(try train(project, project.workflow()))
      let again = message { _ = try train(project, project.workflow()) }
      #expect(again.contains("is not empty") && again.contains("resume it, or choose a new folder"))
      let other = message { _ = try train(project, project.workflow("lora.alpha=7"), resume: true) }
      #expect(other.contains("another workflow"))
      #expect(other.contains("(first difference: 'alpha: 4.0' in the run, 'alpha: 7.0' now)"), "\(other)")
      let leftover = URL(fileURLWithPath: project.out).appendingPathComponent(
        ".checkpoint.safetensors.1.0.tmp")
      try "half".write(to: leftover, atomically: false, encoding: .utf8)
      #expect(try train(project, project.workflow(), resume: true))
      #expect(!FileManager.default.fileExists(atPath: leftover.path))
      let none = message {
        _ = try train(project, project.workflow(), out: project.folder.path + "/none", resume: true)
      }
      #expect(none.contains("is not a run"))

      let line = project.folder.appendingPathComponent("data/train.jsonl")
      var text = try String(contentsOf: line, encoding: .utf8)
      text = text.replacingOccurrences(
        of: "number 3\"", with: "number " + String(repeating: "x ", count: 400) + "\"")
      try text.write(to: line, atomically: true, encoding: .utf8)
      let fresh = project.folder.path + "/fresh"
      let long = message { _ = try train(project, project.workflow(), out: fresh) }
      #expect(long.contains("exceed the context of 256") && long.contains("e3"))
      let changed = message { _ = try train(project, project.workflow(), resume: true) }
      #expect(changed.contains("not the data this run was started with"))
      try FileManager.default.removeItem(at: line)
      #expect(message { _ = try train(project, project.workflow(), out: fresh) }.contains("train.jsonl"))
      #expect(!FileManager.default.fileExists(atPath: fresh))
    }
  }

  @Test("a run whose folder cannot be created leaves nothing behind")
  func cannotBegin() throws {
    try TinyProject.with { project in
      let parent = project.folder.appendingPathComponent("locked")
      try "a file".write(to: parent, atomically: true, encoding: .utf8)
      #expect(throws: FileError.self) {
        try train(project, project.workflow(), out: parent.appendingPathComponent("run").path)
      }
      #expect(try String(contentsOf: parent, encoding: .utf8) == "a file")
    }
  }

  @Test("a run is found from any folder, and resumes in the number format in which it began")
  func manifest() throws {
    try TinyProject.with { project in
      #expect(try train(project, project.workflow()))
      let url = URL(fileURLWithPath: project.out).appendingPathComponent("run.json")
      var manifest = try JSONDecoder().decode(RunFolder.Manifest.self, from: Data(contentsOf: url))
      #expect(manifest.dataPath.hasPrefix("/") && manifest.modelPath.hasPrefix("/"))
      // As if copied from another machine: it keeps its format, even if another is faster on this processor.
      for begun in [ElementType.float32, .bfloat16] {
        manifest.precision = begun.rawValue
        try JSONEncoder().encode(manifest).write(to: url)
        var seen: ElementType?
        let run = TrainingRun(try project.workflow(), out: project.out, models: project.folder.path)
        _ = try run.run(resume: true) { event in
          if case .loaded(_, let precision, _, _, _, _) = event { seen = precision }
        }
        #expect(seen == begun)
      }
    }
  }

  @Test("bfloat16 trains on every processor: near float32, and resumed as if never killed")
  func bfloat16() throws {
    try TinyProject.with { project in
      let exact = project.folder.appendingPathComponent("exact").path
      let whole = project.folder.appendingPathComponent("whole").path
      let settings = ["training.epochs=3", "training.precision=bfloat16"]
      let workflow = try project.workflow(settings[0], settings[1])
      #expect(try train(project, project.workflow(settings[0]), out: exact))
      #expect(try train(project, workflow, out: whole))
      #expect(throws: Killed.self) { try train(project, workflow, killAfter: 5) }
      #expect(try train(project, workflow, resume: true))
      #expect(
        FileManager.default.contentsEqual(
          atPath: "\(whole)/adapter.safetensors", andPath: "\(project.out)/adapter.safetensors"))
      let losses = try (exact: records(exact).map(\.loss), rounded: records(whole).map(\.loss))
      #expect(losses.exact.count == losses.rounded.count && losses.exact != losses.rounded)
      // The logits differ by a few roundings of relative size 2⁻⁸; a loss is a mean over tokens.
      for (a, b) in zip(losses.exact, losses.rounded) { #expect(abs(a - b) < 0.03 * a, "\(a) \(b)") }
    }
  }

  @Test("a trained workflow can be evaluated, answers, and exports the columns that each task sees")
  func afterwards() throws {
    try TinyProject.with { project in
      #expect(try train(project, project.workflow("training.epochs=8")))
      let trained = try TrainedWorkflow(run: project.out, models: project.folder.path)
      #expect(trained.isComplete)
      let episodes = try trained.episodes(.test)
      let report = try trained.evaluator().evaluate(episodes) { _, _, _, _ in }
      #expect(report.tasks.map(\.task) == ["colour", "mood", "note"])
      #expect(report.tasks[0].gold == report.tasks[0].chained, "a root task has no parents to differ by")
      #expect(report.tasks.allSatisfy { $0.gold.count == episodes.count })
      #expect(report.text.contains("chained") && report.json.contains("compositionGap"))

      let answered = try trained.evaluator().run(episodes[0]).tasks
      #expect(answered.map(\.task) == ["colour", "mood", "note"])
      #expect(answered[1].parents.map(\.text) == [answered[0].answer.text])
      #expect(answered[0].answer.probability > 0 && answered[0].answer.probability <= 1)

      let (modules, rank) = try trained.modules(task: "mood")
      #expect(rank == 4 && modules.count == 14)
      let folder = project.folder.appendingPathComponent("peft")
      try PEFTAdapter(
        modules: modules, rank: rank, alpha: Double(trained.file.adapter.scale) * 4, baseModel: "tiny"
      ).write(to: folder)
      let written = try SafetensorsFile(folder.appendingPathComponent("adapter_model.safetensors"))
      let name = "base_model.model.model.layers.1.mlp.down_proj.lora_A.weight"
      #expect(try written.float32(name) == modules.first { $0.path == "model.layers.1.mlp.down_proj" }?.a)
    }
  }
}
